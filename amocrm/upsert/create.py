"""Steps 7 and 8: create a lead so that at most one try can, and record it."""

from __future__ import annotations

from amocrm import ledger, mirror
from amocrm.api import pause
from amocrm.api.schemas import Contact, Created
from amocrm.contract import Action, LeadResult
from amocrm.counters import Event, count
from amocrm.errors import (
    AccountPaused,
    AmoError,
    ComeBack,
    InBadCompany,
    PersonChanged,
    Rejected,
)
from amocrm.identity import IdentityKey
from amocrm.ledger import PersonState
from amocrm.log_context import get_logger
from amocrm.upsert import lookup, payloads, superseded
from amocrm.upsert.context import UpsertContext
from amocrm.upsert.update import complete_contact

logger = get_logger(__name__)

RECORD_ATTEMPTS = 10
CLAIM_AND_RELEASE = 2  # writes; each raises the version


def create_lead(context: UpsertContext, contacts: list[Contact]) -> LeadResult:
    """Make the person's lead, on the newest of ``contacts`` or on a new one.

    Raises :class:`~amocrm.errors.OutcomeUnknown` with the claim left standing when nobody
    knows whether it was made; any other error means it was not, and the claim is released.
    """
    contact = contacts[0] if contacts else None
    looked_at = context.person
    body = _body(context, contact, without=payloads.left_out(context.request))
    try:
        try:
            created = _send(context, body)
        except InBadCompany as error:  # once more, without those whose fault it was
            _nobody_named_meanwhile(context, looked_at, error)
            looked_at = context.person
            created = _send(context, body)
    except Rejected as error:
        created = _send_without(context, body, contact, looked_at, error)
    is_ours = _record(context, created)
    action: Action = "created" if is_ours and not created.merged else "updated"
    # Before anything else can go wrong: the next try goes on from here.
    context.progress.lead_known(created.lead_id, action)
    logger.info("🆕 [DEDUP] Lead %s: ID %s", action, created.lead_id)
    _report_missing_stage(context)
    _link_contact(context, created, contact, carried=looked_at.searchable)
    return LeadResult(created.lead_id, action)


def _body(
    context: UpsertContext, contact: Contact | None, *, without: frozenset[str]
) -> payloads.Body:
    return payloads.new_lead(
        context.request,
        context.schema(),
        contact=contact,
        named=context.person.searchable,
        without=without,
    )


def _send_without(
    context: UpsertContext,
    body: payloads.Body,
    contact: Contact | None,
    looked_at: PersonState,
    error: Rejected,
) -> Created:
    """Make the lead once more, without what amoCRM has just rejected.

    Raises ``error`` where that is nothing which the lead can do without, and pauses the account
    where amoCRM takes no lead in the pipeline's first stage: everybody's would be rejected.
    """
    if contact and payloads.is_contact_unknown(error):
        lookup.read_or_forget(context, contact.id)
        if contact.id not in context.person.contacts:
            raise ComeBack(f"contact {contact.id} was deleted meanwhile") from error
    rejected = payloads.dispensable(error, body)
    if rejected is None:
        raise error
    _nobody_named_meanwhile(context, looked_at, error)
    logger.warning("🏷 amoCRM rejects a part of the lead, making it without: %s", error)
    context.schema(fresh=True)
    without = rejected | payloads.left_out(context.request)
    try:
        return _send(context, _body(context, contact, without=without))
    except Rejected as again:
        if payloads.STAGE in (payloads.dispensable(again, body) or ()):
            pause.begin(context.settings.account, "stage", f"{again} (AMOCRM_PIPELINE_ID)")
            raise again.recast(AccountPaused) from again
        raise


def _nobody_named_meanwhile(
    context: UpsertContext, looked_at: PersonState, error: AmoError
) -> None:
    """A second call rests on the same look, unless under our claim somebody has named what nobody
    has searched for yet."""
    then = (looked_at.id, looked_at.version + CLAIM_AND_RELEASE)
    if (context.person.id, context.person.version) != then:
        raise ComeBack("the person was named anew meanwhile") from error


def _report_missing_stage(context: UpsertContext) -> None:
    """Say that the form's own stage is gone; the note and the page say so, too."""
    if context.schema().lacks(context.request.stage):
        logger.warning(
            "🚩 The pipeline has no stage %s any more: the lead is in its first stage",
            context.request.stage,
        )
        count(Event.STAGE_MISSING)


def _send(context: UpsertContext, body: payloads.Body) -> Created:
    """Limiter, checkpoint, claim, send: the client gives up where the last two are more than
    five seconds apart."""

    def claim() -> None:
        context.write(ledger.claim, context.request.reference)

    try:
        return context.crm.create_lead(body, just_before=claim)
    except AmoError as error:
        if error.not_done and context.person.creating_since:
            _release_ours(context)
        raise


def _release_ours(context: UpsertContext) -> None:
    """Give back our claim; somebody may have named the person anew under it."""
    ours = context.person
    while ledger.is_claim_of(context.person, ours):
        try:
            context.write(ledger.release)
        except PersonChanged:
            context.reread()


def _record(context: UpsertContext, created: Created) -> bool:
    """Step 8. Whoever wrote to the person meanwhile decides what our lead is now.

    False where somebody who reconciled has adopted it before us: they say "created" then.
    """
    ours = context.person
    for _ in range(RECORD_ATTEMPTS):
        try:
            return _record_once(context, created, ours)
        except PersonChanged:
            context.reread()
    raise PersonChanged("the person keeps changing", lock_name=ours.lock_name)


def _record_once(context: UpsertContext, created: Created, ours: PersonState) -> bool:
    if context.person.lead_id == created.lead_id:
        return False
    if not _is_superseded(context.person, ours):
        context.write(ledger.record, created.lead_id)
        return True
    # Our claim was given back and another try was made: ours is the late one, and the one that
    # we know to be ours is the one we may close. Not so a lead that amoCRM merged us into.
    if not created.merged:
        context.write(ledger.supersede, created.lead_id)
        if superseded.close_superseded(context, created.lead_id, context.unguarded_crm):
            return True
    raise ComeBack("another lead was made meanwhile", lock_name=context.person.lock_name)


def _is_superseded(person: PersonState, ours: PersonState) -> bool:
    """Whether somebody else has made a lead for the person, or may have one on its way."""
    if ledger.is_claim_of(person, ours):
        return False
    return person.creating_since is not None or person.lead_id != ours.lead_id


def _link_contact(
    context: UpsertContext,
    created: Created,
    contact: Contact | None,
    *,
    carried: frozenset[IdentityKey],
) -> None:
    """The lead's contact enters the ledger. A new one carries what it was made with; one that was
    there before gets what it lacks.

    The lead is recorded and known: whatever is raised here, the next try goes on from it.
    """
    if created.contact_id is None:
        return
    if context.together and not (contact or created.merged):
        mirror.expect(context.settings.account, [created.contact_id])
    context.write(ledger.link, created.contact_id)
    if contact or created.merged:
        complete_contact(context, created.contact_id)
    else:
        context.write(ledger.mark_on_contact, carried)
