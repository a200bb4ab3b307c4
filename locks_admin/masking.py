"""Who a lock is about, and how much of that an operator may see.

Those who may view submissions see e-mails and phones in full, because they can read them there
anyway. Everybody else sees masked names, finds nobody by a whole one, and gets masked keys in the
JSON too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.utils.crypto import salted_hmac

from amocrm.locks.names import PREFIX
from amocrm.text.masking import mask, mask_digits, mask_local

PERSONAL_DATA = "leads.view_submission"
_PHONE = re.compile(r"\d+(;ext=\d+)?")
_PSEUDONYM_LENGTH = 20  # characters


@dataclass(frozen=True)
class LockedPerson:
    """What a lock's name says of its person; ``other`` is a name of no shape that we know."""

    email: str = ""
    phone: str = ""
    other: str = ""


def read_name(name: str) -> LockedPerson:
    """The person in the three shapes of a lock's name: both, e-mail alone, phone alone."""
    rest = name.removeprefix(PREFIX)
    kind, _, value = rest.partition(":")
    if kind == "phone" and _PHONE.fullmatch(value):
        return LockedPerson(phone=value)
    if kind == "email" and "@" in value:
        return LockedPerson(email=value)
    email, _, phone = rest.rpartition(":")
    if "@" in email and _PHONE.fullmatch(phone):
        return LockedPerson(email=email, phone=phone)
    return LockedPerson(other=rest)


@dataclass(frozen=True)
class Masker:
    """What one operator may see of people: everything if ``full``, else their masks.

    Made once for a request, by :meth:`for_user`.
    """

    full: bool

    @classmethod
    def for_user(cls, user: AbstractBaseUser | AnonymousUser) -> Masker:
        """Full for those who may view submissions."""
        return cls(isinstance(user, PermissionsMixin) and user.has_perm(PERSONAL_DATA))

    def name(self, name: str) -> str:
        """The lock's name."""
        if self.full:
            return name
        person = read_name(name)
        if person.other:
            return PREFIX + _mask(person.other)
        if not person.phone:
            return f"{PREFIX}email:{_mask_email(person.email)}"
        return f"{PREFIX}{_mask_email(person.email) or 'phone'}:{_mask_phone(person.phone)}"

    def person(self, name: str) -> str:
        """The person in the lock's name: ``test@onai.academy · +77771112233``."""
        person = read_name(name)
        if person.other:
            return person.other if self.full else _mask(person.other)
        email = person.email if self.full else _mask_email(person.email)
        phone = person.phone if self.full or not person.phone else _mask_phone(person.phone)
        return " · ".join(part for part in (email, f"+{phone}" if phone else "") if part)

    def text(self, text: str) -> str:
        """What an operator typed, which may name people."""
        return text if self.full else mask(text)


def pseudonym(name: str) -> str:
    """A short stand-in for a lock's name, for pages and links: it tells nobody who it is."""
    # The salt has an older word for it, so that links people have kept still work.
    return salted_hmac("locks_admin.handle", name).hexdigest()[:_PSEUDONYM_LENGTH]


def _mask_email(email: str) -> str:
    local, at, domain = email.partition("@")
    return f"{mask_local(local)}{at}{domain}" if email else ""


def _mask_phone(phone: str) -> str:
    digits, semicolon, extension = phone.partition(";")
    return f"{mask_digits(digits)}{semicolon}{extension}"


def _mask(text: str) -> str:
    return f"{text[:2]}***"
