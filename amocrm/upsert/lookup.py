"""Who is this in the CRM?

amoCRM's search is loose: it returns strangers and misses other spellings. So it is asked for
several spellings, and every hit is compared with the person by normalised values. Strangers
are dropped here and stay untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

from amocrm import conf, ledger
from amocrm.api import paging
from amocrm.api.schemas import Contact, Lead, newest_first
from amocrm.counters import Event, count
from amocrm.identity import IdentityKey, identities, printed_email, printed_phone
from amocrm.ledger import CreationPending, duplicates
from amocrm.log_context import get_logger
from amocrm.upsert.context import UpsertContext

logger = get_logger(__name__)

MOST_PAGES = 10
MOST_NEW_PAGES = 40
SEARCHED_DIGITS = 10


def link_contacts(context: UpsertContext) -> list[Contact]:
    """Find every contact that is this person, newest first, and link all that they carry.

    What a contact carries beyond what was asked for is searched for in turn. Raises
    :class:`~amocrm.errors.PersonChanged` when two people turn out to be one.
    """
    found: dict[int, Contact] = {}
    searched: set[IdentityKey] = set()
    asked: set[int] = set()
    while True:
        keys = context.person.searchable - searched
        contact_ids = context.person.contacts - found.keys() - asked
        if not keys and not contact_ids:
            break
        for key in sorted(keys):
            searched.add(key)
            _link_theirs(context, found, _search(context, key))
        for contact_id in sorted(contact_ids - found.keys()):
            asked.add(contact_id)
            if contact := read_or_forget(context, contact_id):
                _link_theirs(context, found, [contact])
    if len(found) > 1:
        logger.warning("👥 [DEDUP] Contacts %s are one person", sorted(found))
        count(Event.TWO_CONTACTS)
    return sorted(found.values(), key=lambda contact: contact.id, reverse=True)


def read_or_forget(context: UpsertContext, contact_id: int) -> Contact | None:
    """A contact of theirs; forgotten where both it and the list by id say that there is none."""
    contact = context.crm.contact(contact_id)
    if contact is None:
        contact, is_sure = context.crm.listed_contact(contact_id)
        if contact is None and is_sure:
            context.write(ledger.forget_contact, contact_id)
    return contact


def link_newest_contacts(context: UpsertContext, *, since: datetime) -> list[Contact]:
    """Find and link this person's contacts among those made ``since`` then: the search does not
    see what was made a moment ago, the list of the newest does.

    It ends with a page on which all are older. One alone says nothing: whoever imports a contact
    may say when it was made.
    """
    found: dict[int, Contact] = {}
    pages = paging.pages(
        context.crm.newest_contacts, most_pages=MOST_NEW_PAGES, what="new contacts"
    )
    for page in pages:
        _link_theirs(context, found, page)
        if all(contact.created_at < since for contact in page):
            break
    return list(found.values())


def active_leads(context: UpsertContext, contacts: Iterable[Contact]) -> list[Lead]:
    """The ACTIVE leads of these contacts. A contact tells ids only, so every lead is asked for."""
    pipeline_id = context.schema().pipeline_id
    ids = {lead_id for contact in contacts for lead_id in contact.lead_ids}
    leads = (context.crm.lead(lead_id) for lead_id in sorted(ids, reverse=True))
    return [lead for lead in leads if lead and lead.is_active(pipeline_id)]


def carried_by(contact: Contact, settings: conf.AmoSettings) -> frozenset[IdentityKey]:
    """The e-mails and phones on a contact, as the ledger knows them."""
    return identities(
        emails=contact.emails,
        phones=contact.phones,
        region=settings.phone_region,
        ignored=settings.ignored_identities,
    )


def is_theirs(context: UpsertContext, contact: Contact) -> bool:
    """Whether this contact is the person: in the ledger, or by an e-mail or phone on it."""
    return contact.id in context.person.contacts or bool(
        carried_by(contact, context.settings) & context.person.searchable
    )


def link_contact(context: UpsertContext, contact: Contact) -> None:
    """Enter a verified contact, and all that it carries, into the ledger."""
    key = ledger.contact_key(contact.id)
    context.write(ledger.link, {key, *carried_by(contact, context.settings)})


def keep_newest(context: UpsertContext, leads: list[Lead]) -> Lead:
    """The one that stays of several ACTIVE leads, the most recently updated; operators are shown
    the others. To be recorded afterwards: whoever dies in between leaves none unseen."""
    kept, *others = newest_first(leads)
    duplicates.mark_active(context.person.id, [lead.id for lead in others], kept=kept.id)
    return kept


def _link_theirs(
    context: UpsertContext, found: dict[int, Contact], hits: Iterable[Contact]
) -> None:
    """Add those of ``hits`` that are the person to ``found``; strangers stay untouched."""
    for contact in hits:
        if contact.id in found or not is_theirs(context, contact):
            continue
        found[contact.id] = contact
        try:
            link_contact(context, contact)
        except CreationPending as standing:
            # While we reconcile this very person nobody can be merged with it. What the
            # contact's leads tell is needed now; the ledger learns of it afterwards.
            if standing.person_id != context.person.id:
                raise


def _search(context: UpsertContext, key: IdentityKey) -> Iterator[Contact]:
    for query in queries(key, context.settings.phone_search):
        search = partial(context.crm.search_contacts, query)
        yield from paging.each(search, most_pages=MOST_PAGES, what="found contacts")


def queries(key: IdentityKey, phone_search: str) -> list[str]:
    """What to search for: an e-mail as it is, and with the letters of its domain where those are
    not Latin; a phone by its last ten digits, without an extension, and where ``phone_search`` is
    ``all`` also in E.164 and as people print it."""
    if key.kind == "email":
        return list(dict.fromkeys((key.value, printed_email(key.value))))
    number = key.value.partition(";")[0]
    digits = number.removeprefix("+")[-SEARCHED_DIGITS:]
    if phone_search == "digits":
        return [digits]
    return [digits, number, printed_phone(number)]
