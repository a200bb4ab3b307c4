"""A lead that one of our attempts made beside another one: closed, or recorded if there is none.

Whoever comes too late with its lead has superseded it in the ledger before it gets here; whoever
dies then leaves that for the next delivery of the person.
"""

from __future__ import annotations

from amocrm import ledger
from amocrm.account.schema import cached_schema
from amocrm.api.client import Client
from amocrm.api.schemas import LOST
from amocrm.counters import Event, count
from amocrm.errors import LeadGone, Refused, Rejected
from amocrm.ledger import duplicates
from amocrm.log_context import get_logger
from amocrm.upsert.context import UpsertContext

logger = get_logger(__name__)

DUPLICATE_TAG = "дубль"


def resume_superseded(context: UpsertContext) -> None:
    """Close what an earlier attempt superseded and died before closing."""
    for lead_id in duplicates.superseded(context.person.id):
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
            context.write(ledger.record, lead_id)
    duplicates.end_superseded(person.id, lead_id, is_closed=True)
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
        duplicates.end_superseded(context.person.id, lead_id, is_closed=False)
        return
    duplicates.end_superseded(context.person.id, lead_id, is_closed=True)
    logger.warning("🧯 [DEDUP] Closed our duplicate lead: ID %s beside %s", lead_id, named)
    count(Event.DUPLICATE_CLOSED)


def _say_why(crm: Client, lead_id: int, named: str) -> None:
    text = f"Дубль, закрыт автоматически: у этого человека уже есть сделка ({named})."
    try:
        crm.add_notes(lead_id, [text])
    except Refused as error:  # it is closed all the same
        logger.warning("📝 amoCRM refused the note on the closed lead ID %s: %s", lead_id, error)
