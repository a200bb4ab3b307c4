"""Links between a lead and its contacts. amocrm.ru/developers → Связи сущностей."""

from __future__ import annotations

from amocrm.sandbox.account.model import Json, Lead
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Answer, Refusal, as_json, lead_deleted, not_found
from amocrm.sandbox.api.serializers import links
from amocrm.sandbox.api.validation import Problems, batch_of, request_id_of


def link_list(call: Call) -> Answer:
    """``GET /api/v4/leads/{id}/links``."""
    lead = _lead(call)
    rows = [_row(lead, contact_id) for contact_id in lead.contact_ids]
    return _answer(call, lead, rows)


def add_links(call: Call) -> Answer:
    """``POST /api/v4/leads/{id}/link`` with a list; only contacts can be linked here."""
    lead = _lead(call)
    items = batch_of(call)
    contacts = _contacts(call, items)
    for item, contact_id in zip(items, contacts, strict=True):
        metadata = item.get("metadata") or {}
        call.account.link(lead, contact_id, is_main=bool(metadata.get("is_main")))
    call.account.touched(lead)
    rows = [
        {"entity_id": lead.id, "entity_type": "leads", **_row(lead, contact_id)}
        for contact_id in contacts
    ]
    return _answer(call, lead, rows)


def remove_links(call: Call) -> Answer:
    """``POST /api/v4/leads/{id}/unlink`` with a list; 204."""
    lead = _lead(call)
    gone = _contacts(call, batch_of(call))
    call.account.relink(lead, [one for one in lead.contact_ids if one not in gone])
    call.account.touched(lead)
    return Answer(204)


def _lead(call: Call) -> Lead:
    found = call.account.leads.get(call.ids[0])
    if found is None:
        raise Refusal(not_found())
    if found.is_deleted:
        raise Refusal(lead_deleted(found.id))
    return found


def _contacts(call: Call, items: list[Json]) -> list[int]:
    problems = Problems()
    found: list[int] = []
    for place, item in enumerate(items):
        request_id = request_id_of(item, place)
        contact_id = item.get("to_entity_id")
        if item.get("to_entity_type") != "contacts":
            problems.no_choice(request_id, "to_entity_type")
        elif not isinstance(contact_id, int) or call.account.contact(contact_id) is None:
            problems.no_choice(request_id, "to_entity_id")
        else:
            found.append(contact_id)
    problems.refuse()
    return found


def _row(lead: Lead, contact_id: int) -> Json:
    return {
        "to_entity_id": contact_id,
        "to_entity_type": "contacts",
        "metadata": {"main_contact": lead.contact_ids[0] == contact_id},
    }


def _answer(call: Call, lead: Lead, rows: list[Json]) -> Answer:
    return as_json(
        200,
        {
            "_total_items": len(rows),
            "_links": links(call.base, f"leads/{lead.id}/links"),
            "_embedded": {"links": rows},
        },
    )
