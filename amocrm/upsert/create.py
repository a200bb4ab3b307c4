"""Steps 7 and 8: create a lead so that at most one try can, and record it."""

from __future__ import annotations

from amocrm import ledger
from amocrm.api.schemas import Contact, Created
from amocrm.contract import Action, LeadResult
from amocrm.errors import AmoError, ClaimLost, ComeBack, Rejected
from amocrm.ledger import PersonState
from amocrm.log_context import logger
from amocrm.upsert import payloads, superseded
from amocrm.upsert.context import Work
from amocrm.upsert.update import complete_contact

log = logger(__name__)

RECORD_TRIES = 10
CLAIM_AND_RELEASE = 2  # writes; each raises the version


def create_lead(work: Work, contacts: list[Contact]) -> LeadResult:
    """Make the person's lead, on the newest of ``contacts`` or on a new one.

    Raises :class:`~amocrm.errors.OutcomeUnknown` with the claim left standing when nobody
    knows whether it was made; any other error means it was not, and the claim is released.
    """
    contact = contacts[0] if contacts else None
    looked_at = work.person
    body = _body(work, contact)
    try:
        created = _send(work, body)
    except Rejected as error:
        if contact and payloads.is_contact_unknown(error) and work.crm.contact(contact.id) is None:
            work.person = ledger.forget_contact(work.person, contact.id)
            raise ComeBack(f"contact {contact.id} was deleted meanwhile") from error
        rejected = payloads.dispensable(error, body)
        if rejected is None:
            raise
        then = (looked_at.id, looked_at.version + CLAIM_AND_RELEASE)
        if (work.person.id, work.person.version) != then:
            # Under our claim somebody has named what nobody has searched for yet.
            raise ComeBack("the person was named anew meanwhile") from error
        log.warning("🏷 amoCRM rejects a part of the lead, making it without: %s", error)
        work.shape(fresh=True)
        created = _send(work, _body(work, contact, without=rejected))
    is_ours = _record(work, created)
    action: Action = "created" if is_ours and not created.merged else "updated"
    # Before anything else can go wrong: the next try goes on from here.
    work.progress.lead_known(created.lead_id, action)
    log.info("🆕 [DEDUP] Lead %s: ID %s", action, created.lead_id)
    _learn_contact(work, created, contact)
    return LeadResult(created.lead_id, action)


def _body(
    work: Work, contact: Contact | None, *, without: frozenset[str] = frozenset()
) -> payloads.Body:
    return payloads.new_lead(
        work.request,
        work.shape(),
        contact=contact,
        named=work.person.searchable,
        without=without,
    )


def _send(work: Work, body: payloads.Body) -> Created:
    """Limiter, checkpoint, claim, send: the client gives up where the last two are more than
    five seconds apart."""

    def claim() -> None:
        work.person = ledger.claim(work.person, work.request.reference)

    try:
        return work.crm.create_lead(body, just_before=claim)
    except AmoError as error:
        if error.not_done and work.person.creating_since:
            _release_ours(work)
        raise


def _release_ours(work: Work) -> None:
    """Give back our claim; somebody may have named the person anew under it."""
    ours = work.person
    while ledger.is_claim_of(work.person, ours):
        try:
            work.person = ledger.release(work.person)
        except ClaimLost:
            work.person = ledger.read(ours.id)


def _record(work: Work, created: Created) -> bool:
    """Step 8. Whoever wrote to the person meanwhile decides what our lead is now.

    False where somebody who reconciled has adopted it before us: they say "created" then.
    """
    ours = work.person
    for _ in range(RECORD_TRIES):
        try:
            return _record_once(work, created, ours)
        except ClaimLost:
            work.person = ledger.read(ours.id)
    raise ClaimLost("the person keeps changing", lock_name=ours.lock_name)


def _record_once(work: Work, created: Created, ours: PersonState) -> bool:
    if work.person.lead_id == created.lead_id:
        return False
    if not _is_overtaken(work.person, ours):
        work.person = ledger.record(work.person, created.lead_id)
        return True
    # Our claim was given back and another try was made: ours is the late one, and the one that
    # we know to be ours is the one we may close. Not so a lead that amoCRM merged us into.
    if not created.merged:
        work.person = ledger.disown(work.person, created.lead_id)
        if superseded.settle(work, created.lead_id, work.bare_crm):
            return True
    raise ComeBack("another lead was made meanwhile", lock_name=work.person.lock_name)


def _is_overtaken(person: PersonState, ours: PersonState) -> bool:
    """Whether somebody else has made a lead for the person, or may have one on its way."""
    if ledger.is_claim_of(person, ours):
        return False
    return person.creating_since is not None or person.lead_id != ours.lead_id


def _learn_contact(work: Work, created: Created, contact: Contact | None) -> None:
    """The lead's contact enters the ledger, and one that was there before gets what it lacks.

    The lead is recorded and known: whatever is raised here, the next try goes on from it.
    """
    if created.contact_id is None:
        return
    work.person = ledger.learn(work.person, {ledger.contact_key(created.contact_id)})
    if contact or created.merged:
        complete_contact(work, created.contact_id)
