"""``/_sandbox/…``: looking into the account, and making it misbehave. No token, no limits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from amocrm.sandbox.account.actions import act, plant
from amocrm.sandbox.account.model import Contact, Json, Lead, Note
from amocrm.sandbox.account.persons import people
from amocrm.sandbox.account.store import Account
from amocrm.sandbox.api.request import Request
from amocrm.sandbox.api.responses import Answer, as_json
from amocrm.sandbox.api.serializers import field_values
from amocrm.sandbox.faults import rule_from
from amocrm.sandbox.sandbox import Sandbox
from amocrm.sandbox.strangers import is_of_another_site

PREFIX = "/_sandbox"
JSON = "application/json"


def control(sandbox: Sandbox, request: Request) -> Answer:
    """Answer a control request: 4xx with a sentence under ``error`` for a wrong one."""
    if is_of_another_site(request):
        return _json(403, {"error": "Pages of other sites may not do that."})
    # A browser asks before it sends JSON to another site, and before nothing else.
    if request.body.strip() and not _is_json(request):
        return _json(415, {"error": f"Send it as Content-Type: {JSON}."})
    path = request.path.removeprefix(PREFIX).rstrip("/")
    for method, pattern, endpoint in _TABLE:
        found = re.fullmatch(pattern, path)
        if found and method == request.method:
            try:
                payload = request.json() if request.body.strip() else {}
                if not isinstance(payload, dict):
                    raise ValueError("Send a JSON object.")
                return _json(200, endpoint(sandbox, payload, found))
            except (ValueError, TypeError, IndexError) as error:
                return _json(400, {"error": str(error)})
    return _json(404, {"error": f"There is no {request.method} {request.path}."})


def _is_json(request: Request) -> bool:
    sent_as = request.headers.get("content-type", "")
    return sent_as.partition(";")[0].strip().lower() == JSON


def _json(status: int, body: Any) -> Answer:
    return as_json(status, body, content_type=JSON)


def _state(sandbox: Sandbox, _payload: Json, _found: re.Match[str]) -> Json:
    account = sandbox.account
    with account.lock:
        everybody = people(account, ignored=sandbox.settings.ignored_identities)
        twice = [one for one in everybody if one.duplicates]
        lead_ids: dict[int, list[int]] = defaultdict(list)
        for lead in account.leads.values():
            for contact_id in lead.contact_ids:
                lead_ids[contact_id].append(lead.id)
        state: Json = {
            "contacts": [
                _contact(account, one, lead_ids[one.id]) for one in account.contacts.values()
            ],
            "leads": [_lead(account, one) for one in account.leads.values()],
            "notes": [_note(one) for one in account.notes.values()],
            "order": list(account.order),
            "people": {
                "count": len(everybody),
                "active_leads": sum(one.is_active for one in account.leads.values()),
                "with_two_active_leads": len(twice),
                "duplicates": [
                    {
                        "contact_ids": [contact.id for contact in one.contacts],
                        "lead_ids": [lead.id for lead in one.duplicates],
                    }
                    for one in twice
                ],
            },
        }
    counts = sandbox.counts()
    state["requests"] = {
        "total": sum(counts.values()),
        "counts": counts,
        "max_per_second": sandbox.throttle.max_per_second,
        "answers_429": sandbox.throttle.given_429,
        "answers_403": sandbox.throttle.given_403,
    }
    state["late_writes"] = len(sandbox.late)
    state["now"] = sandbox.clock.seconds()
    return state


def _contact(account: Account, one: Contact, lead_ids: list[int]) -> Json:
    return {
        "id": one.id,
        "name": one.name,
        "emails": account.values(one, "EMAIL"),
        "phones": account.values(one, "PHONE"),
        "lead_ids": lead_ids,
        "tags": [tag.name for tag in one.tags],
        "is_deleted": one.is_deleted,
        "is_unsorted": one.is_unsorted,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "custom_fields_values": field_values(account, one, old_enum_key=False),
    }


def _lead(account: Account, one: Lead) -> Json:
    return {
        "id": one.id,
        "name": one.name,
        "pipeline_id": one.pipeline_id,
        "status_id": one.status_id,
        "stage": account.stage_of(one).name,
        "is_deleted": one.is_deleted,
        "is_active": one.is_active,
        "contact_ids": list(one.contact_ids),
        "tags": [tag.name for tag in one.tags],
        "fields": {
            account.fields[field_id].code: values[0].value
            for field_id, values in one.values.items()
            if field_id in account.fields and values
        },
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "closed_at": one.closed_at,
    }


def _note(one: Note) -> Json:
    return {
        "id": one.id,
        "entity_id": one.entity_id,
        "note_type": one.note_type,
        "text": one.params.get("text", ""),
        "created_at": one.created_at,
    }


def _requests(sandbox: Sandbox, _payload: Json, _found: re.Match[str]) -> Json:
    return {"requests": sandbox.requests()}


def _reset(sandbox: Sandbox, _payload: Json, _found: re.Match[str]) -> Json:
    sandbox.reset()
    return {"reset": True}


def _show_config(sandbox: Sandbox, _payload: Json, _found: re.Match[str]) -> Json:
    return sandbox.settings.as_json()


def _configure(sandbox: Sandbox, payload: Json, _found: re.Match[str]) -> Json:
    """Settings, and three things done once: ``lift_block``, ``drop_field``, ``drop_stage``."""
    once = {
        key: payload.pop(key)
        for key in ("lift_block", "drop_field", "drop_stage")
        if key in payload
    }
    sandbox.configure(payload)
    if once.get("lift_block"):
        sandbox.throttle.lift()
    if "drop_field" in once:
        _drop_field(sandbox.account, once["drop_field"])
    if "drop_stage" in once:
        _drop_stage(sandbox.account, once["drop_stage"])
    return sandbox.settings.as_json()


def _drop_field(account: Account, key: Any) -> None:
    with account.lock:
        found = account.field("leads", key) or account.field("contacts", key)
        if found is None:
            raise ValueError(f"There is no field {key!r}.")
        del account.fields[found.id]


def _drop_stage(account: Account, stage_id: Any) -> None:
    with account.lock:
        if any(lead.status_id == stage_id for lead in account.leads.values()):
            raise ValueError(f"There are leads in stage {stage_id!r}.")
        for pipeline in account.pipelines.values():
            kept = [one for one in pipeline.stages if one.id != stage_id or one.id in (142, 143)]
            if len(kept) < len(pipeline.stages):
                pipeline.stages = kept
                return
    raise ValueError(f"There is no stage {stage_id!r}.")


def _add_fault(sandbox: Sandbox, payload: Json, _found: re.Match[str]) -> Json:
    return sandbox.faults.add(rule_from(payload)).as_json()


def _show_faults(sandbox: Sandbox, _payload: Json, _found: re.Match[str]) -> Json:
    return {"faults": sandbox.faults.all()}


def _clear_faults(sandbox: Sandbox, _payload: Json, found: re.Match[str]) -> Json:
    rule_id = int(found[1]) if found.lastindex else None
    return {"removed": sandbox.faults.clear(rule_id)}


def _apply_late(sandbox: Sandbox, _payload: Json, _found: re.Match[str]) -> Json:
    return {"applied": sandbox.late.apply_now()}


def _seed(sandbox: Sandbox, payload: Json, _found: re.Match[str]) -> Json:
    return plant(sandbox.account, payload)


def _act(sandbox: Sandbox, payload: Json, _found: re.Match[str]) -> Json:
    act(sandbox.account, payload)
    return {"done": payload["do"]}


_TABLE: list[tuple[str, str, Callable[[Sandbox, Json, re.Match[str]], Json]]] = [
    ("GET", "/state", _state),
    ("GET", "/requests", _requests),
    ("POST", "/reset", _reset),
    ("GET", "/config", _show_config),
    ("POST", "/config", _configure),
    ("GET", "/faults", _show_faults),
    ("POST", "/faults", _add_fault),
    ("DELETE", "/faults", _clear_faults),
    ("DELETE", r"/faults/(\d+)", _clear_faults),
    ("POST", "/late", _apply_late),
    ("POST", "/seed", _seed),
    ("POST", "/act", _act),
]
