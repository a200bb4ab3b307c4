"""What managers and other integrations do to the account behind the client's back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amocrm.sandbox.account import seed
from amocrm.sandbox.account.model import LOST, Contact, Lead, Value
from amocrm.sandbox.account.store import Account

Payload = dict[str, Any]


def act(account: Account, payload: Payload) -> None:
    """Carry out ``payload["do"]``. Raises :class:`ValueError` with a sentence."""
    do = _ACTIONS.get(payload.get("do", ""))
    if do is None:
        raise ValueError(f"do is one of {', '.join(_ACTIONS)}, not {payload.get('do')!r}.")
    with account.lock:
        do(account, payload)


def _lead(account: Account, payload: Payload) -> Lead:
    found = account.leads.get(payload.get("lead_id", 0))
    if found is None:
        raise ValueError(f"There is no lead {payload.get('lead_id')!r}.")
    return found


def _contact(account: Account, payload: Payload, key: str = "contact_id") -> Contact:
    found = account.contact(payload.get(key, 0))
    if found is None:
        raise ValueError(f"There is no contact {payload.get(key)!r}.")
    return found


def _place(account: Account, lead: Lead, pipeline_id: int, status_id: int) -> None:
    pipeline = account.pipelines.get(pipeline_id)
    if pipeline is None or pipeline.stage(status_id) is None:
        raise ValueError(f"There is no stage {status_id!r} in pipeline {pipeline_id!r}.")
    account.place(lead, pipeline_id, status_id)
    account.touched(lead)


def _delete_lead(account: Account, payload: Payload) -> None:
    lead = _lead(account, payload)
    lead.is_deleted = True
    account.touched(lead)


def _close_lead(account: Account, payload: Payload) -> None:
    lead = _lead(account, payload)
    _place(account, lead, lead.pipeline_id, payload.get("status_id", LOST))


def _move_lead(account: Account, payload: Payload) -> None:
    lead = _lead(account, payload)
    _place(account, lead, payload.get("pipeline_id", lead.pipeline_id), payload.get("status_id", 0))


def _reassign_lead(account: Account, payload: Payload) -> None:
    lead = _lead(account, payload)
    account.relink(lead, [_contact(account, payload).id])
    account.touched(lead)


def _merge_contacts(account: Account, payload: Payload) -> None:
    """``into`` keeps its id and gets the leads and values of ``from``, which is deleted."""
    into, gone = _contact(account, payload, "into"), _contact(account, payload, "from")
    if into is gone:
        raise ValueError("A contact cannot be merged into itself.")
    for lead in account.leads_of(gone.id):
        ids = [into.id if one == gone.id else one for one in lead.contact_ids]
        account.relink(lead, dict.fromkeys(ids))
        account.touched(lead)
    for field_id, values in gone.values.items():
        known = into.values.setdefault(field_id, [])
        known.extend(one for one in values if one.value not in {old.value for old in known})
    gone.is_deleted = True
    account.touched(into)


def _edit_contact(account: Account, payload: Payload) -> None:
    contact = _contact(account, payload)
    contact.name = payload.get("name", contact.name)
    for key, code in (("emails", "EMAIL"), ("phones", "PHONE")):
        if key in payload:
            set_values(account, contact, code, payload[key])
    account.touched(contact)


def _delete_contact(account: Account, payload: Payload) -> None:
    contact = _contact(account, payload)
    contact.is_deleted = True
    for lead in account.leads_of(contact.id):
        account.relink(lead, [one for one in lead.contact_ids if one != contact.id])
        account.touched(lead)


_ACTIONS: dict[str, Callable[[Account, Payload], None]] = {
    "delete_lead": _delete_lead,
    "close_lead": _close_lead,
    "move_lead": _move_lead,
    "reassign_lead": _reassign_lead,
    "merge_contacts": _merge_contacts,
    "edit_contact": _edit_contact,
    "delete_contact": _delete_contact,
}


def set_values(account: Account, entity: Contact | Lead, code: str, values: list[str]) -> None:
    """Give the field ``code`` exactly these values. Raises :class:`ValueError`."""
    definition = account.field("contacts" if isinstance(entity, Contact) else "leads", code)
    if definition is None:
        raise ValueError(f"There is no field {code!r}.")
    enum = next(iter(definition.enums.items()), (None, None))
    entity.values[definition.id] = [Value(one, *enum) for one in values]


def plant(account: Account, payload: Payload) -> dict[str, list[int]]:
    """Put contacts and leads into the account as if they had long been there.

    ``contacts``: ``name emails phones created_at updated_at unsorted indexed listed``.
    ``leads``: ``name contact`` (place in ``contacts``) ``contact_ids pipeline_id status_id
    created_at updated_at tags fields`` (by code) ``listed``. ``indexed`` false makes them
    wait for the lag of the search, ``listed`` false for that of the lists.
    Returns the ids. Raises :class:`ValueError` with a sentence.
    """
    with account.lock:
        contacts = [_plant_contact(account, one) for one in payload.get("contacts", [])]
        leads = [_plant_lead(account, one, contacts) for one in payload.get("leads", [])]
    return {"contacts": contacts, "leads": leads}


def _times(account: Account, payload: Payload) -> dict[str, float]:
    given: dict[str, float] = {
        key: int(payload[key]) for key in ("created_at", "updated_at") if key in payload
    }
    if "created_at" in given:
        given.setdefault("updated_at", given["created_at"])
    given["written_at"] = 0.0 if payload.get("listed", True) else account.clock.seconds()
    return given


def _plant_contact(account: Account, payload: Payload) -> int:
    _known(payload, "name emails phones created_at updated_at unsorted indexed listed")
    contact = account.add_contact(
        name=payload.get("name", ""),
        is_unsorted=bool(payload.get("unsorted")),
        **_times(account, payload),
    )
    set_values(account, contact, "EMAIL", payload.get("emails", []))
    set_values(account, contact, "PHONE", payload.get("phones", []))
    if payload.get("indexed", True):
        account.index.show_now(contact)
    else:
        account.index.written(contact, account.clock.seconds())
    return contact.id


def _plant_lead(account: Account, payload: Payload, contacts: list[int]) -> int:
    _known(
        payload,
        "name contact contact_ids pipeline_id status_id price created_at updated_at tags fields"
        " listed",
    )
    pipeline_id = payload.get("pipeline_id", seed.MAIN_PIPELINE_ID)
    pipeline = account.pipelines.get(pipeline_id)
    status_id = payload.get("status_id", pipeline.first_ordinary.id if pipeline else 0)
    if pipeline is None or pipeline.stage(status_id) is None:
        raise ValueError(f"There is no stage {status_id!r} in pipeline {pipeline_id!r}.")
    contact_ids = [*payload.get("contact_ids", [])]
    if "contact" in payload:
        contact_ids.append(contacts[payload["contact"]])
    for contact_id in contact_ids:
        _contact(account, {"contact_id": contact_id})
    lead = account.add_lead(
        name=payload.get("name", ""),
        pipeline_id=pipeline_id,
        status_id=status_id,
        price=payload.get("price", 0),
        contact_ids=contact_ids,
        **_times(account, payload),
    )
    lead.tags = [account.tag("leads", name=one) for one in payload.get("tags", [])]
    for code, value in payload.get("fields", {}).items():
        set_values(account, lead, code, [value])
    return lead.id


def _known(payload: Payload, names: str) -> None:
    for key in payload:
        if key not in names.split():
            raise ValueError(f"{key!r} cannot be planted. Known: {names}.")
