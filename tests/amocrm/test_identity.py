"""Spellings of one e-mail or phone are one value; what names nobody is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amocrm.identity import (
    IdentityKey,
    identities,
    parse_email,
    parse_phone,
    printed_email,
    printed_phone,
)


@pytest.mark.parametrize(
    ("raw", "email"),
    [
        ("test@onai.academy", "test@onai.academy"),
        ("  TEST@Onai.Academy\n", "test@onai.academy"),
        ("\ufefftest@onai.academy\u200b", "test@onai.academy"),
        ("first.last+tag@gmail.com", "first.last+tag@gmail.com"),
        ("почта@пример.рф", None),
        ("mail@пример.рф", "mail@xn--e1afmkfd.xn--p1ai"),
        ("mail@XN--E1AFMKFD.xn--p1ai", "mail@xn--e1afmkfd.xn--p1ai"),
        ("mail@faß.de", "mail@xn--fa-hia.de"),
        ("\u212a@b.com", "k@b.com"),
        ("mail@EXAMPLE\u3002com", "mail@example.com"),
        ("", None),
        ("@", None),
        ("a@", None),
        ("@b.com", None),
        ("a.b.com", None),
        ("a@b", None),
        ("a@b@c.com", None),
        ('"a b"@c.com', None),
        ('"a"@c.com', None),
        ("a..b@c.com", None),
        ("a b@c.com", None),
        ("a\u200b@c.com", None),
        ("a\x00@c.com", None),
        ("a\n@c.com", None),
        ("a:b@c.com", None),
        ("a@-c.com", None),
        ("a@c..com", None),
        ("a@c.com.", None),
        (f"a@{'x' * 64}.com", None),
        (f"{'a' * 320}@c.com", None),
    ],
)
def test_an_email_has_one_spelling(raw: str, email: str | None) -> None:
    assert parse_email(raw) == email


@pytest.mark.parametrize(
    ("raw", "phone"),
    [
        ("+77771112233", "+77771112233"),
        ("8 (777) 111-22-33", "+77771112233"),
        ("7 777 111 22 33", "+77771112233"),
        ("77771112233", "+77771112233"),
        ("7771112233", "+77771112233"),
        ("\u200e+7 777 111-22-33 ", "+77771112233"),
        ("tel:+77771112233", "+77771112233"),
        ("+7 777 111 22 33 доб. 5", "+77771112233;ext=5"),
        ("+7 727 258 11 11 ext 34", "+77272581111;ext=34"),
        ("٨٧٧٧١١١٢٢٣٣", "+77771112233"),
        ("+1 202 555 0123", "+12025550123"),
        ("+44 20 7946 0958", "+442079460958"),
        ("79161234567", "+79161234567"),
        ("7 (916) 123-45-67", "+79161234567"),
        ("998901234567", "+998901234567"),
        ("+87771112233", "+77771112233"),
        ("+8 (701) 222-33-44", "+77012223344"),
        ("+81 3 1234 5678", "+81312345678"),
        ("17771112233", None),
        ("777711122334", None),
        ("87771112233 anna", None),
        ("", None),
        ("call me", None),
        ("+7777111223", None),
        ("123", None),
        ("+999 123456789", None),
        ("+77771112233, +77012223344", None),
        ("0" * 300, None),
        # Possible, and of no range in use: nobody can be called there.
        ("0555 123 456", None),
        ("0501234567", None),
        ("+7 (870) 112-30-30", None),
        # Typed by people who want no calls.
        ("0000000000", None),
        ("+7 (000) 000-00-00", None),
        ("7777777777", None),
        ("+7 777 777 77 77", None),
        ("1234567890", None),
        ("9876543210", None),
    ],
)
def test_a_phone_has_one_spelling(raw: str, phone: str | None) -> None:
    assert parse_phone(raw, "KZ") == phone


def test_a_number_without_a_country_is_of_the_region() -> None:
    assert parse_phone("020 7946 0958", "GB") == "+442079460958"
    assert parse_phone("020 7946 0958", "KZ") is None


def test_a_phone_is_printed_as_people_do() -> None:
    assert printed_phone("+77771112233") == "+7 777 111 2233"


@given(st.text(max_size=60) | st.emails())
def test_no_text_breaks_an_email_and_its_value_is_its_own_spelling(raw: str) -> None:
    email = parse_email(raw)
    if email is not None:
        assert parse_email(email) == email
        assert parse_email(f" {email.upper()} ") == email
        assert parse_email(printed_email(email)) == email
        assert email.isascii()
        assert len(email) <= 320


@given(st.text(max_size=60) | st.from_regex(r"\+?[78]?[\d ()-]{8,14}", fullmatch=True))
def test_no_text_breaks_a_phone_and_its_value_is_its_own_spelling(raw: str) -> None:
    phone = parse_phone(raw, "KZ")
    if phone is not None:
        assert parse_phone(phone, "KZ") == phone
        assert parse_phone(printed_phone(phone), "KZ") == phone
        assert phone[1:].isdigit()


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("87771112233 Анна", {"+77771112233"}),
        ("87771112233 anna", {"+77771112233"}),
        ("WhatsApp: +7 777 111 22 33", {"+77771112233"}),
        ("87771112233, 87012223344", {"+77771112233", "+77012223344"}),
        ("12.05.2026", set()),
        ("a@x.kz; B@x.kz", {"a@x.kz", "b@x.kz"}),
        ("mailto:a@x.kz", {"a@x.kz"}),
        ("Анна <a@x.kz>", {"a@x.kz"}),
    ],
)
def test_what_people_type_into_a_field_of_a_contact_is_read(typed: str, values: set[str]) -> None:
    found = identities(emails=[typed], phones=[typed], region="KZ")
    assert {key.value for key in found} == values


def test_what_cannot_be_read_identifies_nobody() -> None:
    assert identities(emails=["x", ""], phones=["y"], region="KZ") == frozenset()


def test_ignored_values_identify_nobody_in_any_spelling() -> None:
    found = identities(
        emails=["Info@School.kz", "a@b.kz"],
        phones=["8 777 000 00 00"],
        region="KZ",
        ignored=["info@school.KZ", "+7 (777) 000-00-00", "rubbish"],
    )
    assert found == {IdentityKey("email", "a@b.kz")}
