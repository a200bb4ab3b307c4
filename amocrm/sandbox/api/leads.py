"""Leads. amocrm.ru/developers → Сделки."""

from __future__ import annotations

from amocrm.sandbox.account.model import Json, Lead
from amocrm.sandbox.account.store import Account
from amocrm.sandbox.api.drafts import Draft, draft_lead, read_links
from amocrm.sandbox.api.listing import filtered, listed, ordered, page_of
from amocrm.sandbox.api.patching import collection, patch, patched
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Answer, Refusal, as_json, lead_deleted, nothing
from amocrm.sandbox.api.serializers import lead_json, links
from amocrm.sandbox.api.validation import Problems, batch_of, request_id_of


def lead_list(call: Call) -> Answer:
    """``GET /api/v4/leads``: there is no way to ask for one contact's leads."""
    account = call.account
    query = call.request.query.get("query", [""])[-1].strip().casefold()
    unsorted = account.unsorted_stages()
    rows = [
        one
        for one in account.leads.values()
        if not one.is_deleted and (one.pipeline_id, one.status_id) not in unsorted
    ]
    if query:
        rows = [one for one in rows if any(query in text.casefold() for text in one.texts())]
    else:
        rows = listed(call, rows)
    rows = ordered(call, filtered(call, rows), by=("id", "created_at", "updated_at"))
    return page_of(call, rows, name="leads", path="leads", printed=lambda one: _printed(call, one))


def lead(call: Call) -> Answer:
    """``GET /api/v4/leads/{id}``: 204 if there is none, or for a deleted one if set so."""
    found = call.account.leads.get(call.ids[0])
    if found is None or (found.is_deleted and call.settings.deleted_leads == "empty"):
        return nothing()
    return as_json(200, _printed(call, found))


def add_leads(call: Call) -> Answer:
    """``POST /api/v4/leads`` with a list."""
    problems = Problems()
    drafts: list[Draft] = []
    for place, item in enumerate(batch_of(call)):
        draft = draft_lead(call.account, item, request_id_of(item, place), problems)
        read_links(call.account, item, draft, problems)
        drafts.append(draft)
    problems.refuse()
    rows: list[Json] = []
    for draft in drafts:
        made = make_lead(call.account, draft)
        rows.append(
            {
                "id": made.id,
                "request_id": draft.request_id,
                "_links": links(call.base, f"leads/{made.id}"),
            }
        )
    return collection(call, "leads", rows)


def make_lead(account: Account, draft: Draft) -> Lead:
    """Store a new lead as drafted, in the main pipeline's first stage if none is named."""
    main = account.main_pipeline
    pipeline_id, status_id = draft.stage or (main.id, main.first_ordinary.id)
    made = account.add_lead(pipeline_id=pipeline_id, status_id=status_id, **draft.attributes)
    draft.write(made)
    for contact_id, is_main in draft.contacts:
        account.link(made, contact_id, is_main=is_main)
    return made


def patch_leads(call: Call) -> Answer:
    """``PATCH /api/v4/leads`` with a list, ``PATCH /api/v4/leads/{id}`` with an object."""
    changes = patch(
        call,
        find=lambda lead_id: _living(call.account, lead_id),
        read=lambda one, item, request_id, problems: draft_lead(
            call.account, item, request_id, problems, current=one
        ),
    )
    rows: list[Json] = []
    for entity, draft in changes:
        rewrite_lead(call.account, entity, draft)
        rows.append(
            {
                "id": entity.id,
                "updated_at": entity.updated_at,
                "_links": links(call.base, f"leads/{entity.id}"),
            }
        )
    return patched(call, "leads", rows, documented="object")


def rewrite_lead(account: Account, entity: Lead, draft: Draft) -> None:
    """Carry out a draft on a lead that exists."""
    if draft.stage is not None:
        account.place(entity, *draft.stage)
    draft.write(entity)
    account.touched(entity)


def _living(account: Account, lead_id: int) -> Lead | None:
    found = account.leads.get(lead_id)
    if found is not None and found.is_deleted:
        raise Refusal(lead_deleted(lead_id))
    return found


def _printed(call: Call, one: Lead) -> Json:
    return lead_json(
        call.account, one, call.base, call.wanted, old_enum_key=call.settings.old_enum_key
    )
