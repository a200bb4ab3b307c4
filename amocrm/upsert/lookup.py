"""Who is this in the CRM?

amoCRM's search is loose: it returns strangers and misses other spellings. So it is asked for
several spellings, and every hit is compared with the person by normalised values. Strangers
are dropped here and stay untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from amocrm import ledger, mirror
from amocrm.account.carried import carried_by
from amocrm.api import paging
from amocrm.api.schemas import Contact, Lead, newest_first
from amocrm.counters import Event, count
from amocrm.errors import GoAlone
from amocrm.identity import IdentityKey, printed_email, printed_phone
from amocrm.ledger import CreationPending, duplicates
from amocrm.log_context import get_logger
from amocrm.upsert.context import Searched, StartOver, Together, UpsertContext

logger = get_logger(__name__)

MOST_PAGES = 10
MOST_NEW_PAGES = 40
SEARCHED_DIGITS = 10


def find_contacts(context: UpsertContext) -> list[Contact]:
    """Who this is in the CRM, newest first. Together with others nobody is searched for: either
    the mirror knows that there is nobody, or this delivery goes alone.

    Raises :class:`~amocrm.errors.GoAlone`, and what :func:`link_contacts` raises.
    """
    if context.together:
        _be_nobody_yet(context, context.together)
        return []
    return link_contacts(context)


def _be_nobody_yet(context: UpsertContext, together: Together) -> None:
    """Nobody in the CRM is this person. The mirror is brought up to date here, after the person's
    version was read: whoever enters the CRM later than that look is found by nobody's search,
    either, and whoever enters the ledger changes the version."""
    settings, known = context.settings, context.person
    if known.contacts:
        raise GoAlone("the person has contacts, whose leads are to be looked at")
    if not together.once(
        "mirror",
        lambda crm: (
            mirror.catch_up(crm, settings) and mirror.readiness(settings) is mirror.Readiness.READY
        ),
    ):
        raise GoAlone("the mirror of the CRM's contacts is not up to date")
    if mirror.contacts_with(settings.account, known.searchable):
        raise GoAlone("the mirror knows contacts of this person: they are searched for")


def link_contacts(context: UpsertContext) -> list[Contact]:
    """Find every contact that is this person, newest first, and link all that they carry.

    What a contact carries beyond what was asked for is searched for in turn. A contact that the
    ledger does not know as theirs is one of theirs where it shares an e-mail or phone with those
    that are, or where there are none: then the first, an e-mail's before a phone's. Any other is
    another person, whom a form has named together with this one; those are told apart.

    Raises :class:`~amocrm.errors.PersonChanged` when two people turn out to be one, and
    :class:`StartOver` when somebody was told apart (the submission may be for them), or what was
    searched for names too many.
    """
    if context.together:
        raise GoAlone("the person is to be searched for")
    found: dict[int, Contact] = {}
    unknown: dict[int, Contact] = {}
    shown: dict[int, Contact] = {}
    searched: set[IdentityKey] = set()
    asked: set[int] = set()
    while True:
        if keys := context.person.searchable - searched:
            for key in sorted(keys):
                searched.add(key)
                hits = [one for one in _search(context, key) if is_theirs(context, one)]
                _ignore_crowd(context, key, hits)
                shown.update({contact.id: contact for contact in hits})
                for contact in hits:
                    if contact.id in context.person.contacts:
                        _link(context, found, contact)
                    else:
                        unknown.setdefault(contact.id, contact)
        elif contact_ids := context.person.contacts - found.keys() - asked:
            for contact_id in sorted(contact_ids):
                asked.add(contact_id)
                if known := read_or_forget(context, contact_id):
                    _link(context, found, known)
        elif joining := _joins(context, found, unknown.values()):
            _link(context, found, unknown.pop(joining.id))
        else:
            break
    context.searched = Searched(frozenset(searched), tuple(shown.values()))
    if unknown:
        _tell_apart(context, found.values(), unknown.values())
        raise StartOver
    if len(found) > 1:
        logger.warning("👥 [DEDUP] Contacts %s are one person", sorted(found))
        count(Event.TWO_CONTACTS)
    return sorted(found.values(), key=lambda contact: contact.id, reverse=True)


def _ignore_crowd(context: UpsertContext, key: IdentityKey, hits: Sequence[Contact]) -> None:
    """A manager's own number on everybody's contact names none of them. Not while a lead may be
    on its way: that must be found by all that it was made with."""
    if context.person.creating_since or len(hits) <= context.settings.identity_max_people:
        return
    carried = [carried_by(contact, context.settings) for contact in hits]
    carriers = [one for one in carried if key in one]
    if ledger.is_a_crowd(carriers, key):
        ledger.ignore_crowd(context.person.account, key, people=len(carriers))
        raise StartOver


def _joins(
    context: UpsertContext, found: Mapping[int, Contact], unknown: Iterable[Contact]
) -> Contact | None:
    theirs = _known_on(context, found.values())
    for contact in unknown:
        if not found or theirs & carried_by(contact, context.settings):
            return contact
    return None


def _tell_apart(
    context: UpsertContext, theirs: Iterable[Contact], others: Iterable[Contact]
) -> None:
    kept = _known_on(context, theirs)
    for contact in others:
        ledger.set_apart(
            context.person, contact.id, carried_by(contact, context.settings), kept=kept
        )
        context.reread()


def _known_on(context: UpsertContext, contacts: Iterable[Contact]) -> frozenset[IdentityKey]:
    """What these contacts carry of the person, less what identifies nobody."""
    return context.person.searchable.intersection(
        one for contact in contacts for one in carried_by(contact, context.settings)
    )


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

    Those are what our own call may have made, whoever else has been named meanwhile by what they
    carry. It ends with a page on which all are older. One alone says nothing: whoever imports a
    contact may say when it was made.
    """
    found: dict[int, Contact] = {}
    pages = paging.pages(
        context.crm.newest_contacts, most_pages=MOST_NEW_PAGES, what="new contacts"
    )
    for page in pages:
        for contact in page:
            if contact.created_at >= since and is_theirs(context, contact):
                _link(context, found, contact)
        if all(contact.created_at < since for contact in page):
            break
    return list(found.values())


def active_leads(context: UpsertContext, contacts: Iterable[Contact]) -> list[Lead]:
    """The ACTIVE leads of these contacts. A contact tells ids only, so every lead is asked for."""
    pipeline_id = context.schema().pipeline_id
    ids = {lead_id for contact in contacts for lead_id in contact.lead_ids}
    leads = (context.crm.lead(lead_id) for lead_id in sorted(ids, reverse=True))
    return [lead for lead in leads if lead and lead.is_active(pipeline_id)]


def is_theirs(context: UpsertContext, contact: Contact) -> bool:
    """Whether this contact is the person: in the ledger, or by an e-mail or phone on it."""
    return contact.id in context.person.contacts or bool(
        carried_by(contact, context.settings) & context.person.searchable
    )


def link_contact(context: UpsertContext, contact: Contact) -> None:
    """Enter a verified contact, and all that it carries, into the ledger."""
    context.write(ledger.link, contact.id, carried_by(contact, context.settings))


def keep_newest(context: UpsertContext, leads: list[Lead]) -> Lead:
    """The one that stays of several ACTIVE leads, the most recently updated; operators are shown
    the others. To be recorded afterwards: whoever dies in between leaves none unseen."""
    kept, *others = newest_first(leads)
    duplicates.mark_active(context.person.id, [lead.id for lead in others], kept=kept.id)
    return kept


def _link(context: UpsertContext, found: dict[int, Contact], contact: Contact) -> None:
    """Link a contact and add it to ``found``, unless the ledger says that it is another
    established person's."""
    try:
        link_contact(context, contact)
    except CreationPending as standing:
        # While we reconcile this very person nobody can be merged with it. What the
        # contact's leads tell is needed now; the ledger learns of it afterwards.
        if standing.person_id != context.person.id:
            raise
        found[contact.id] = contact
    if contact.id in context.person.contacts:
        found[contact.id] = contact


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
