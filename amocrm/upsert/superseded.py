"""A lead that one of our tries made beside another one: closed, or recorded if there is none.

Whoever comes too late with its lead has disowned it in the ledger before it gets here; whoever
dies then leaves that for the next delivery of the person.
"""

from __future__ import annotations

from amocrm import ledger
from amocrm.account.schema import cached_schema
from amocrm.api.client import Client
from amocrm.api.schemas import LOST
from amocrm.counters import Event, count
from amocrm.errors import LeadGone, Refused, Rejected
from amocrm.log_context import get_logger
from amocrm.models import DuplicateLead
from amocrm.upsert.context import UpsertContext

logger = get_logger(__name__)

DUPLICATE_TAG = "дубль"


def superseded_leads(person_id: int) -> list[int]:
    """The disowned leads of this person that are not settled yet."""
    rows = DuplicateLead.objects.filter(person_id=person_id, state=DuplicateLead.State.SUPERSEDED)
    return sorted(rows.values_list("lead_id", flat=True))


def resume_superseded(context: UpsertContext) -> None:
    """Settle what an earlier try disowned and died before settling."""
    for lead_id in superseded_leads(context.person.id):
        close_superseded(context, lead_id, context.crm)


def close_superseded(context: UpsertContext, lead_id: int, crm: Client) -> bool:
    """Close a lead of ours where another one is recorded and ACTIVE, or may be on its way;
    record it where there is none. Whether it is the person's lead now.

    ``crm`` need not be guarded: the lead is surely ours, and closing it our duty.
    """
    person = context.person
    if person.lead_id != lead_id:
        if person.creating_since or _is_active(context, crm, person.lead_id):
            _close(context, lead_id, crm)
            return False
        if _is_active(context, crm, lead_id):
            context.person = ledger.record(person, lead_id)
    _set_state(person.id, lead_id, DuplicateLead.State.CLOSED)
    return context.person.lead_id == lead_id


def _is_active(context: UpsertContext, crm: Client, lead_id: int | None) -> bool:
    lead = crm.lead(lead_id) if lead_id else None
    return lead is not None and lead.is_active(cached_schema(crm, context.settings).pipeline_id)


def _close(context: UpsertContext, lead_id: int, crm: Client) -> None:
    other = context.person.lead_id
    named = f"ID {other}" if other else "другая сделка"
    closed = {"pipeline_id": cached_schema(crm, context.settings).pipeline_id, "status_id": LOST}
    try:
        try:
            crm.update_lead(lead_id, {**closed, "tags_to_add": [{"name": DUPLICATE_TAG}]})
        except Rejected:
            crm.update_lead(lead_id, closed)
        _say_why(crm, lead_id, named)
    except LeadGone:
        pass
    except Refused as error:
        logger.error("🧯 [DEDUP] Our duplicate lead cannot be closed: ID %s: %s", lead_id, error)
        _set_state(context.person.id, lead_id, DuplicateLead.State.ACTIVE)
        count(Event.DUPLICATE_FOUND)
        return
    _set_state(context.person.id, lead_id, DuplicateLead.State.CLOSED)
    logger.warning("🧯 [DEDUP] Closed our duplicate lead: ID %s beside %s", lead_id, named)
    count(Event.DUPLICATE_CLOSED)


def _say_why(crm: Client, lead_id: int, named: str) -> None:
    text = f"Дубль, закрыт автоматически: у этого человека уже есть сделка ({named})."
    try:
        crm.add_notes(lead_id, [text])
    except Refused as error:  # it is closed all the same
        logger.warning("📝 amoCRM refused the note on the closed lead ID %s: %s", lead_id, error)


def _set_state(person_id: int, lead_id: int, state: DuplicateLead.State) -> None:
    DuplicateLead.objects.filter(person_id=person_id, lead_id=lead_id).update(state=state)
