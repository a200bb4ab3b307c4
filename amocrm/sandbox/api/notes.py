"""Notes on leads. amocrm.ru/developers → События и примечания."""

from __future__ import annotations

from amocrm.sandbox.account.model import Json
from amocrm.sandbox.api.listing import filtered, listed, ordered, page_of
from amocrm.sandbox.api.patching import collection
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Answer, Refusal, as_json, lead_deleted, not_found, nothing
from amocrm.sandbox.api.serializers import links, note_json
from amocrm.sandbox.api.validation import BLANK, Problems, batch_of, request_id_of

NOTE_TYPES = frozenset(
    {
        "common",
        "call_in",
        "call_out",
        "service_message",
        "message_cashier",
        "geolocation",
        "sms_in",
        "sms_out",
        "extended_service_message",
        "attachment",
    }
)


def note_list(call: Call) -> Answer:
    """``GET /api/v4/leads/{id}/notes``; 204 for none. ``GET /api/v4/leads/notes`` for all."""
    account = call.account
    if call.ids:
        rows, path = account.notes_of(call.ids[0]), f"leads/{call.ids[0]}/notes"
    else:
        rows, path = listed(call, [*account.notes.values()]), "leads/notes"
    rows = ordered(call, filtered(call, rows), by=("id", "updated_at"))
    return page_of(
        call, rows, name="notes", path=path, printed=lambda one: note_json(one, call.base)
    )


def note(call: Call) -> Answer:
    """``GET /api/v4/leads/notes/{id}`` and ``GET /api/v4/leads/{id}/notes/{id}``."""
    found = call.account.notes.get(call.ids[-1])
    if found is None or (len(call.ids) > 1 and found.entity_id != call.ids[0]):
        return nothing()
    return as_json(200, note_json(found, call.base))


def add_notes(call: Call) -> Answer:
    """``POST /api/v4/leads/notes`` and ``POST /api/v4/leads/{id}/notes``, with a list."""
    account = call.account
    problems = Problems()
    payloads: list[tuple[str, Json]] = []
    for place, item in enumerate(batch_of(call)):
        request_id = request_id_of(item, place)
        entity_id = call.ids[0] if call.ids else item.get("entity_id")
        lead = account.leads.get(entity_id) if isinstance(entity_id, int) else None
        if lead is None and call.ids:
            raise Refusal(not_found())
        if lead is not None and lead.is_deleted:
            raise Refusal(lead_deleted(lead.id))
        if lead is None:
            problems.no_choice(request_id, "entity_id")
        _check(item, request_id, problems, limit=call.settings.note_limit)
        payloads.append((request_id, {**item, "entity_id": entity_id}))
    problems.refuse()
    rows = [_made(call, request_id, item) for request_id, item in payloads]
    return collection(call, "notes", rows, path="leads/notes")


def _check(item: Json, request_id: str, problems: Problems, *, limit: int) -> None:
    note_type, params = item.get("note_type"), item.get("params")
    if note_type not in NOTE_TYPES:
        problems.no_choice(request_id, "note_type")
    elif not isinstance(params, dict):
        problems.add(request_id, "NotBlank", "params", BLANK)
    elif note_type == "common" and (
        not isinstance(params.get("text"), str) or not params["text"].strip()
    ):
        problems.add(request_id, "NotBlank", "params.text", BLANK)
    elif len(str(params.get("text", ""))) > limit:
        detail = f"This value is too long. It should have {limit} characters or less."
        problems.add(request_id, "TooLong", "params.text", detail)


def _made(call: Call, request_id: str, item: Json) -> Json:
    given = {
        key: item[key]
        for key in ("responsible_user_id", "created_by", "created_at")
        if isinstance(item.get(key), int)
    }
    made = call.account.add_note(
        entity_id=item["entity_id"],
        note_type=item["note_type"],
        params=item["params"],
        **given,
    )
    return {
        "id": made.id,
        "entity_id": made.entity_id,
        "request_id": request_id,
        "_links": links(call.base, f"leads/{made.entity_id}/notes/{made.id}"),
    }
