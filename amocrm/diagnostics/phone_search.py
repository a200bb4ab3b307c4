"""Finding out whether this account's search sees through a formatted phone.

No page of amoCRM says, and accounts may differ. A contact whose phone was typed with
punctuation is searched for by its bare digits.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Literal

from django.utils.translation import gettext as _

from amocrm import conf
from amocrm.api import paging
from amocrm.api.client import Client
from amocrm.api.schemas import Contact
from amocrm.diagnostics.finding import Finding
from amocrm.identity import IdentityKey, parse_phone
from amocrm.upsert.lookup import queries

CONTACT_PAGES = 4  # of the newest contacts, to look for a formatted phone in
SEARCH_PAGES = 3
INDEX_MAX_WAIT = 60.0  # seconds until a new contact should be findable
ASK_EVERY = 3.0

Verdict = Literal["digits", "all", "neither"]


def finding(client: Client, settings: conf.AmoSettings, contact_id: int | None) -> Finding:
    """Whether ``PHONE_SEARCH`` is set as this account needs it.

    Looks at one of the account's contacts, or at ``contact_id``, which was just made and may
    not be indexed yet. Raises what the client raises.
    """
    verdict = _find_out(client, settings, contact_id)
    if verdict is None:
        return Finding(
            "warning",
            "search",
            _("Whether the search sees through a formatted phone could not be found out."),
            _("Run amocrm_check --create-test-lead, or set PHONE_SEARCH=all to be safe."),
        )
    if verdict == "neither":
        return Finding(
            "warning",
            "search",
            _("The search finds a formatted phone in no spelling that we try."),
            _("Set PHONE_SEARCH=all and keep phones in the CRM in one form, as +77771112233."),
        )
    needed = {"setting": f"PHONE_SEARCH={verdict}"}
    if verdict == "digits":
        text = _("The search sees through a formatted phone: %(setting)s is enough.")
        return Finding("ok", "search", text % needed)
    if settings.phone_search == "all":
        text = _("The search finds a phone as it is printed only: %(setting)s is needed and set.")
        return Finding("ok", "search", text % needed)
    return Finding(
        "error",
        "search",
        _("The search does not see through a formatted phone: people would get second leads."),
        _("Set PHONE_SEARCH=all."),
    )


def _find_out(client: Client, settings: conf.AmoSettings, contact_id: int | None) -> Verdict | None:
    """Which ``PHONE_SEARCH`` this account needs; ``neither`` helps; ``None``: nobody knows."""
    if contact_id is None:
        contact = _with_formatted_phone(client, settings)
        return _verdict(client, settings, contact) if contact else None
    new = client.contact(contact_id)
    if new is None or not new.phones or not _is_indexed(client, new):
        return None
    return _verdict(client, settings, new)


def _verdict(client: Client, settings: conf.AmoSettings, contact: Contact) -> Verdict:
    typed = _formatted_phone(contact, settings) or contact.phones[0]
    digits, *others = queries(_key(typed, settings), "all")
    if _finds(client, digits, contact.id):
        return "digits"
    return "all" if any(_finds(client, query, contact.id) for query in others) else "neither"


def _with_formatted_phone(client: Client, settings: conf.AmoSettings) -> Contact | None:
    newest = paging.each(client.newest_contacts, most_pages=CONTACT_PAGES)
    return next((contact for contact in newest if _formatted_phone(contact, settings)), None)


def _formatted_phone(contact: Contact, settings: conf.AmoSettings) -> str | None:
    """A phone of the contact whose last ten digits are not typed in one run."""
    for typed in contact.phones:
        e164 = parse_phone(typed, settings.phone_region)
        if e164 and queries(IdentityKey("phone", e164), "digits")[0] not in typed:
            return typed
    return None


def _key(typed: str, settings: conf.AmoSettings) -> IdentityKey:
    return IdentityKey("phone", parse_phone(typed, settings.phone_region) or typed)


def _is_indexed(client: Client, contact: Contact) -> bool:
    """Wait until the search shows the contact at all: by its e-mail, which has one spelling."""
    if not contact.emails:
        return False
    give_up = time.monotonic() + INDEX_MAX_WAIT
    while not _finds(client, contact.emails[0], contact.id):
        if time.monotonic() > give_up:
            return False
        time.sleep(ASK_EVERY)
    return True


def _finds(client: Client, query: str, contact_id: int) -> bool:
    search = partial(client.search_contacts, query)
    found = paging.each(search, most_pages=SEARCH_PAGES)
    return any(contact.id == contact_id for contact in found)
