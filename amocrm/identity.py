"""What names a person: normalised e-mails and phones.

Two spellings of one address or number become one value here, and nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

import idna
import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

Kind = Literal["email", "phone", "contact"]

_is_email = EmailValidator()
_BETWEEN_EMAILS = re.compile(r"[\s,;<>()]+")
_LETTERS = re.compile("[A-Za-z]")
_IN_A_ROW = "01234567890"
_INVISIBLE_ENDS = re.compile(r"^[\s\u200b-\u200f\u2060\ufeff]+|[\s\u200b-\u200f\u2060\ufeff]+$")


class IdentityKey(NamedTuple):
    """A kind and a normalised value; sorts in the order in which rows are locked."""

    kind: Kind
    value: str


@lru_cache(maxsize=2000)  # who waits in a crowd is looked at again and again
def parse_email(raw: str) -> str | None:
    """The e-mail as the ledger knows it: trimmed (of invisible marks that come along when it
    is copied, too), case-folded, its domain in IDNA.

    ``None`` where it cannot be one. Quoted local parts, control characters and invisible marks are
    refused: no mail provider gives them out, and they break log lines and searches.
    """
    text = _INVISIBLE_ENDS.sub("", unicodedata.normalize("NFC", raw))
    local, at, domain = text.rpartition("@")
    if not at or '"' in local or not text.isprintable():
        return None
    try:
        # Not case-folded itself: that would make another domain of one with an ß.
        email = f"{local.casefold()}@{_ascii_domain(domain)}"
        _is_email(email)
    except (idna.IDNAError, UnicodeError, ValidationError):
        return None
    return email


@lru_cache(maxsize=1000)  # nearly everybody is at one of a few
def _ascii_domain(domain: str) -> str:
    return idna.encode(domain, uts46=True).decode("ascii")


@lru_cache(maxsize=2000)
def parse_phone(raw: str, region: str) -> str | None:
    """The phone in E.164 (``8 (777) 111-22-33`` in ``KZ`` is ``+77771112233``).

    ``region`` is the ISO 3166 country whose prefixes a number without ``+`` is read with. A
    foreign number without its ``+`` (``79161234567``) and a domestic one with a ``+`` too many
    (``+87771112233``) are known for what they are. An extension is a part of it, as in RFC 3966:
    ``+77272581111;ext=12``, another person than the next desk's.

    ``None`` where it names nobody: a number of no range in use, as phonenumbers knows them, or
    one that people type who want no calls (all digits the same, or in a row).
    """
    number = _valid(raw, region)
    if number is None:
        number = _valid_domestic(raw, region) if "+" in raw else _valid(f"+{raw.strip()}", region)
    if number is None or _is_placeholder(number):
        return None
    return _value(number)


def is_possible_phone(raw: str, region: str) -> bool:
    """Whether ``raw`` looks like a phone, if only to say that it is nobody's."""
    return _possible(raw, region) is not None


def _is_placeholder(number: phonenumbers.PhoneNumber) -> bool:
    digits = str(number.national_number)
    return len(set(digits)) == 1 or digits in _IN_A_ROW or digits[::-1] in _IN_A_ROW


def _possible(raw: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    if _LETTERS.search(raw.removeprefix("tel:")) and not number.extension:
        return None  # not the letters of a telephone's keys, but somebody's name
    return number


def _valid(raw: str, region: str) -> phonenumbers.PhoneNumber | None:
    number = _possible(raw, region)
    return number if number and phonenumbers.is_valid_number(number) else None


def _valid_domestic(raw: str, region: str) -> phonenumbers.PhoneNumber | None:
    """Read ``raw`` without its ``+`` where the prefix for calls within the country follows it."""
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    number = _valid(raw.replace("+", "", 1), region)
    if number is None or not prefix:
        return None
    typed = phonenumbers.normalize_digits_only(raw)
    return number if typed == f"{prefix}{number.national_number}" else None


def _value(number: phonenumbers.PhoneNumber) -> str:
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{e164};ext={number.extension}" if number.extension else e164


def printed_email(email: str) -> str:
    """The e-mail as people write it, its domain in its own letters (``anna@пример.рф``)."""
    local, _, domain = email.rpartition("@")
    return f"{local}@{idna.decode(domain)}"


def printed_phone(phone: str) -> str:
    """The phone as people print it in its country, with the country code."""
    number = phonenumbers.parse(phone)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def identities(
    *, emails: Iterable[str], phones: Iterable[str], region: str, ignored: Iterable[str] = ()
) -> frozenset[IdentityKey]:
    """Everybody who is named by these values as typed, less the ``ignored`` ones.

    What cannot be read is left out: it identifies nobody. In a CRM people type names beside a
    number and two values into one field; those are read, too.
    """
    return without_ignored(_parse_all(emails, phones, region), ignored, region)


def without_ignored(
    named: frozenset[IdentityKey], ignored: Iterable[str], region: str
) -> frozenset[IdentityKey]:
    """``named`` less the ``ignored`` e-mails and phones as typed, which identify nobody."""
    if not named:
        return named
    typed = tuple(ignored)
    return named - _parse_all(typed, typed, region)


def _parse_all(emails: Iterable[str], phones: Iterable[str], region: str) -> frozenset[IdentityKey]:
    found: set[IdentityKey] = set()
    for raw in emails:
        found.update(IdentityKey("email", email) for email in _emails_in(raw))
    for raw in phones:
        found.update(IdentityKey("phone", phone) for phone in _phones_in(raw, region))
    return frozenset(found)


def _emails_in(text: str) -> list[str]:
    if email := parse_email(text):
        return [email]
    pieces = _BETWEEN_EMAILS.split(text)
    return [email for piece in pieces if (email := parse_email(piece.removeprefix("mailto:")))]


def _phones_in(text: str, region: str) -> list[str]:
    if phone := parse_phone(text, region):
        return [phone]
    found = (match.number for match in phonenumbers.PhoneNumberMatcher(text, region))
    return [_value(number) for number in found if not _is_placeholder(number)]
