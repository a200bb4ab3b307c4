"""The loose search and its lag."""

from __future__ import annotations

import pytest

from tests.amocrm.sandbox.conftest import Crm


def test_a_contact_is_findable_only_after_the_index_lag(crm: Crm) -> None:
    crm.control.config(index_lag=30)
    contact_id = crm.add_contact(email="test@onai.academy")
    assert crm.found("test@onai.academy") == []
    crm.control.advance(29)
    assert crm.found("test@onai.academy") == []
    crm.control.advance(1)
    assert crm.found("test@onai.academy") == [contact_id]


def test_a_contact_that_search_does_not_know_yet_is_listed_and_read_at_once(crm: Crm) -> None:
    crm.control.config(index_lag=30)
    contact_id = crm.add_contact(email="test@onai.academy")
    assert crm.get(f"contacts/{contact_id}").status_code == 200
    listed = crm.get("contacts").json()["_embedded"]["contacts"]
    assert [one["id"] for one in listed] == [contact_id]


def test_a_changed_value_is_found_by_its_old_text_until_the_lag_is_over(crm: Crm) -> None:
    contact_id = crm.add_contact(email="old@onai.academy")
    assert crm.found("old@onai.academy") == [contact_id]
    crm.control.config(index_lag=30)
    email = {"field_code": "EMAIL", "values": [{"value": "fresh@onai.academy"}]}
    crm.patch(f"contacts/{contact_id}", {"custom_fields_values": [email]})
    assert crm.found("fresh@onai.academy") == []
    assert crm.found("old@onai.academy") == [contact_id]
    crm.control.advance(30)
    assert crm.found("fresh@onai.academy") == [contact_id]
    assert crm.found("old@onai.academy") == []


def test_a_longer_lag_does_not_hide_what_was_findable(crm: Crm) -> None:
    contact_id = crm.add_contact(email="test@onai.academy")
    crm.control.config(index_lag=30)
    assert crm.found("test@onai.academy") == [contact_id]


def test_a_seeded_contact_is_findable_at_once_unless_asked_otherwise(crm: Crm) -> None:
    crm.control.config(index_lag=30)
    (old, fresh), _ = crm.seed(
        contacts=[{"emails": ["a1@x.kz"]}, {"emails": ["b2@x.kz"], "indexed": False}]
    )
    assert crm.found("a1@x.kz") == [old]
    assert crm.found("b2@x.kz") == []
    crm.control.advance(30)
    assert crm.found("b2@x.kz") == [fresh]


@pytest.mark.parametrize("query", ["TEST@ONAI.ACADEMY", "айгерим", "АЙГЕРИМ", "t@onai", "  гери "])
def test_text_is_found_by_any_part_in_any_case(crm: Crm, query: str) -> None:
    contact_id = crm.add_contact("Айгерим", email="Test@onai.academy")
    assert crm.found(query) == [contact_id]


@pytest.mark.parametrize("typed", ["+77771112233", "8 (777) 111-22-33", "+7 777 111 22 33"])
def test_ten_digits_find_a_phone_however_it_was_typed(crm: Crm, typed: str) -> None:
    contact_id = crm.add_contact(phone=typed)
    assert crm.found("7771112233") == [contact_id]


def test_a_search_that_sees_no_digits_finds_a_phone_only_as_typed(crm: Crm) -> None:
    crm.control.config(see_through_phones=False)
    plain = crm.add_contact(phone="+77771112233")
    typed = crm.add_contact(phone="+7 (777) 111-22-33")
    assert crm.found("7771112233") == [plain]
    assert crm.found("+77771112233") == [plain]
    assert crm.found("+7 (777) 111-22-33") == [typed]


def test_a_phone_with_plus_seven_does_not_find_one_with_eight(crm: Crm) -> None:
    crm.add_contact(phone="87771112233")
    assert crm.found("+77771112233") == []


def test_search_returns_strangers_with_the_same_last_seven_digits(crm: Crm) -> None:
    wanted = crm.add_contact(phone="+77771112233")
    stranger = crm.add_contact(phone="+77051112233")
    assert crm.found("7771112233") == [wanted, stranger]
    crm.control.config(strangers=False)
    assert crm.found("7771112233") == [wanted]


def test_search_returns_strangers_with_the_same_local_part(crm: Crm) -> None:
    wanted = crm.add_contact(email="aigerim@onai.academy")
    stranger = crm.add_contact(email="aigerim@gmail.com")
    assert crm.found("aigerim@onai.academy") == [wanted, stranger]
    crm.control.config(strangers=False)
    assert crm.found("aigerim@onai.academy") == [wanted]


def test_a_search_without_hits_is_204_without_a_body(crm: Crm) -> None:
    crm.add_contact()
    answer = crm.get("contacts", query="nobody@onai.academy")
    assert (answer.status_code, answer.content) == (204, b"")


def test_contacts_of_unaccepted_leads_are_neither_found_nor_listed(crm: Crm) -> None:
    (contact_id,), _ = crm.seed(contacts=[{"emails": ["test@onai.academy"], "unsorted": True}])
    assert crm.found("test@onai.academy") == []
    assert crm.get("contacts").status_code == 204
    assert crm.get(f"contacts/{contact_id}").status_code == 200


def test_a_deleted_contact_is_not_found(crm: Crm) -> None:
    contact_id = crm.add_contact(email="test@onai.academy")
    crm.control.act("delete_contact", contact_id=contact_id)
    assert crm.found("test@onai.academy") == []
    assert crm.get(f"contacts/{contact_id}").status_code == 204
