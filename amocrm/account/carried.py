"""Which e-mails and phones a contact carries, read the same way by all who compare them."""

from __future__ import annotations

from functools import lru_cache

from amocrm import conf
from amocrm.api.schemas import Contact
from amocrm.identity import IdentityKey, identities


def carried_by(contact: Contact, settings: conf.AmoSettings) -> frozenset[IdentityKey]:
    """The e-mails and phones on a contact, as the ledger knows them."""
    return _carried(
        contact.emails, contact.phones, settings.phone_region, settings.ignored_identities
    )


@lru_cache(maxsize=2000)  # lists are read again and again, and a phone takes a while to read
def _carried(
    emails: tuple[str, ...], phones: tuple[str, ...], region: str, ignored: tuple[str, ...]
) -> frozenset[IdentityKey]:
    return identities(emails=emails, phones=phones, region=region, ignored=ignored)
