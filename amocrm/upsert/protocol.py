"""A submission becomes a lead: the eight steps, in order.

1. resolve   every identity of the submission enters the ledger and is one person
2. lock      one delivery at a time for a person; the person is read again under it
3. reconcile a claim stands: find out what became of it before anything else
4. recorded  the lead we know, if it is still theirs and ACTIVE
5. search    every contact of the person in the CRM; together with others, ask the mirror
6. found     the most recently updated ACTIVE lead of all of them
7. create    claim, then send
8. record    what came of it

The lock makes others wait; the claim in the ledger is what keeps the promise when the lock is
lost, cleared or switched off. Every error is a class of :mod:`amocrm.errors`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from django.utils import timezone

from amocrm import conf, ledger, log_context, mirror
from amocrm.api.client import connect
from amocrm.api.schemas import Contact, Lead
from amocrm.contract import LeadRequest, LeadResult, Progress
from amocrm.counters import Event, count
from amocrm.errors import ComeBack, NobodyToIdentify, StillSettling
from amocrm.identity import IdentityKey, without_ignored
from amocrm.ledger import CreationPending, PersonState, duplicates
from amocrm.upsert import lookup, superseded
from amocrm.upsert.context import DeliverTo, StartOver, Together, UpsertContext, locked_context
from amocrm.upsert.create import create_lead
from amocrm.upsert.notes import write_note
from amocrm.upsert.reconcile import reconcile
from amocrm.upsert.settling import next_look
from amocrm.upsert.update import update_lead

logger = log_context.get_logger(__name__)

# How often a delivery begins anew before it gives way to others.
MAX_STARTS = 5


def upsert_lead(
    request: LeadRequest, progress: Progress, *, together: Together | None = None
) -> LeadResult:
    """Make sure that the person behind ``request`` has exactly one active lead, and that the
    lead has the submission's note.

    Safe to call again after any error and from any number of processes at once. ``together``:
    others with whom requests are shared; then it raises :class:`~amocrm.errors.GoAlone` where this
    person needs more than can be shared, such as a search.
    """
    settings, quiet = conf.current(), together is not None
    with log_context.log_context(named=request.named, reference=request.reference, quiet=quiet):
        named = _identifying(request, settings)
        if not (named or progress.lead_id):
            raise NobodyToIdentify(
                "neither the e-mail nor the phone identifies anybody: each is missing, unreadable"
                " or ignored (IGNORED_IDENTITIES, or the list in the admin)"
            )
        return _upsert(request, progress, settings, named, together)


def _identifying(request: LeadRequest, settings: conf.AmoSettings) -> frozenset[IdentityKey]:
    named = without_ignored(request.named, settings.ignored_identities, settings.phone_region)
    return ledger.count_naming(settings.account, named)


def _upsert(
    request: LeadRequest,
    progress: Progress,
    settings: conf.AmoSettings,
    named: frozenset[IdentityKey],
    together: Together | None,
) -> LeadResult:
    with nullcontext(together.client) if together else connect(settings) as crm:

        def under_lock(person: PersonState) -> AbstractContextManager[UpsertContext]:
            return locked_context(
                person,
                request=request,
                named=named,
                progress=progress,
                settings=settings,
                crm=crm,
                together=together,
            )

        blocking: PersonState | None = None
        instead: int | None = None
        for _ in range(MAX_STARTS):
            try:
                if blocking:  # somebody who must be reconciled before we can be one person
                    with under_lock(blocking) as context:
                        reconcile(context)
                    blocking = None
                person = (
                    ledger.read(instead)
                    if instead
                    else _resolve(settings.account, named, progress)  # step 1
                )
                logger.info(
                    "🔐 [LOCK] Attempting to acquire lock for lead: %s",
                    log_context.current_subject(),
                )
                with under_lock(person) as context:  # step 2
                    return _deliver(context)
            except DeliverTo as other:
                instead = other.person_id
            except StartOver:
                blocking = instead = None
            except CreationPending as pending:
                blocking = ledger.read(pending.person_id)
    raise ComeBack("the person keeps changing")


def _resolve(account: str, named: frozenset[IdentityKey], progress: Progress) -> PersonState:
    """Whose the submission is. It stays with the one whose lead an earlier attempt has found,
    where they may be the same person, or what it named identifies nobody any more."""
    found = ledger.with_lead(account, progress.lead_id) if progress.lead_id else None
    if not named:
        if found is None:
            raise NobodyToIdentify("what the submission named identifies nobody any more")
        return found
    person = ledger.resolve(account, named)
    return found if found and found.id in ledger.kept_apart(person.id) else person


def _deliver(context: UpsertContext) -> LeadResult:
    logger.info("🔍 [DEDUP] Starting duplicate check")
    reconcile(context)  # step 3
    superseded.resume_superseded(context)
    result = _continue_earlier_attempt(context) or _bring_into_a_lead(context)
    write_note(context, result.lead_id)
    if context.searched:  # last: nobody's lead waits for it
        mirror.compare(context.crm, context.settings, context.searched.keys, context.searched.found)
    return result


def _continue_earlier_attempt(context: UpsertContext) -> LeadResult | None:
    """An earlier attempt got as far as the note: go on from there, if its lead is still good, and
    still theirs: a manager may have re-assigned it, the account may be another one."""
    lead_id, action = context.progress.lead_id, context.progress.action
    if lead_id is None or action is None:
        return None
    lead = context.crm.lead(lead_id)
    if lead is None or not _link_if_theirs(context, lead):
        return None
    logger.info("⏩ [DEDUP] Lead %s by an earlier try: ID %s", action, lead_id)
    update_lead(context, lead)
    return LeadResult(lead_id, action)


def _bring_into_a_lead(context: UpsertContext) -> LeadResult:
    lead = _keep_recorded_lead(context)  # step 4
    contacts = [] if lead else lookup.find_contacts(context)  # step 5
    lead = lead or _record_found_lead(context, contacts)  # step 6
    if lead is None:
        _look_at_partners(context)
        logger.info("✨ [DEDUP] No ACTIVE lead found → will CREATE new lead")
        return create_lead(context, contacts)  # steps 7 and 8
    logger.info("✅ Found ACTIVE lead: ID %s", lead.id)
    logger.info("🔄 [DEDUP] Will UPDATE existing lead: ID %s", lead.id)
    update_lead(context, lead)
    action = context.action or "updated"
    context.progress.lead_known(lead.id, action)
    return LeadResult(lead.id, action)


def _keep_recorded_lead(context: UpsertContext) -> Lead | None:
    """The lead that the ledger knows, if it is ACTIVE and still this person's.

    After merging two people who both had one, the most recently updated stays recorded.
    """
    person = context.person
    if person.lead_id is None:
        return None
    recorded = _recorded_lead(context, person.lead_id)
    unchecked = duplicates.unchecked(person.id)
    known = [recorded, *(context.crm.lead(lead_id) for lead_id in unchecked)]
    theirs = [lead for lead in known if lead and _link_if_theirs(context, lead)]
    for lead_id in set(unchecked) - {lead.id for lead in theirs}:
        duplicates.mark_closed(person.id, lead_id)
    if recorded and recorded not in theirs and _is_active(context, recorded):
        logger.warning(
            "👣 [DEDUP] Lead ID %s is no longer on a contact of theirs: left", recorded.id
        )
        count(Event.LEAD_LEFT)
    if not theirs:
        return None
    kept = lookup.keep_newest(context, theirs)
    if kept.id != context.person.lead_id:
        context.write(ledger.record, kept.id)
    else:
        duplicates.mark_closed(person.id, kept.id)
    return kept


def _recorded_lead(context: UpsertContext, lead_id: int) -> Lead | None:
    """The recorded lead as the CRM has it now. One that was made a moment ago and cannot be seen
    yet is no reason to make another: raises :class:`~amocrm.errors.StillSettling`."""
    lead = context.crm.lead(lead_id)
    recorded_at = context.person.lead_recorded_at
    if lead is None and recorded_at and timezone.now() - recorded_at < context.settings.settle:
        raise StillSettling(
            f"lead {lead_id} was just made and cannot be seen yet",
            lock_name=context.person.lock_name,
            retry_after=next_look(recorded_at, context.settings.settle),
        )
    return lead


def _record_found_lead(context: UpsertContext, contacts: list[Contact]) -> Lead | None:
    """The most recently updated ACTIVE lead of these contacts, recorded."""
    leads = lookup.active_leads(context, contacts)
    if not leads:
        return None
    lead = lookup.keep_newest(context, leads)
    context.write(ledger.record, lead.id)
    return lead


def _look_at_partners(context: UpsertContext) -> None:
    """Nobody gets a new lead for a form that names somebody else, too, who may be the same person
    and has one, or may have one on its way: raises :class:`DeliverTo` then."""
    others = context.named - context.person.identities
    if not others:
        return
    named = ledger.owners(context.person.account, others).values()
    for partner_id in {*named}.intersection(ledger.partners(context.person.id)):
        partner = ledger.read(partner_id)
        if partner.creating_since or _has_active_lead(context, partner):
            logger.info("🪞 [DEDUP] For somebody who may be the same: %s", partner.lock_name)
            raise DeliverTo(partner.id)


def _has_active_lead(context: UpsertContext, person: PersonState) -> bool:
    """Whether a delivery of theirs would find one."""
    if person.contacts:
        contacts = filter(None, map(context.crm.contact, sorted(person.contacts)))
        return bool(lookup.active_leads(context, contacts))
    lead = context.crm.lead(person.lead_id) if person.lead_id else None
    return lead is not None and _is_active(context, lead)


def _is_active(context: UpsertContext, lead: Lead) -> bool:
    return lead.is_active(context.schema().pipeline_id)


def _link_if_theirs(context: UpsertContext, lead: Lead) -> bool:
    """Whether the lead is ACTIVE, and on a contact that the ledger knows or that, read anew,
    carries one of the person's e-mails or phones: managers re-assign leads and merge contacts.
    Such a contact is linked."""
    if not _is_active(context, lead):
        return False
    if context.person.contacts.intersection(lead.contact_ids):
        return True
    for contact_id in lead.contact_ids:
        contact = context.crm.contact(contact_id)
        if contact and lookup.is_theirs(context, contact):
            lookup.link_contact(context, contact)
            if contact_id in context.person.contacts:
                return True
    return False
