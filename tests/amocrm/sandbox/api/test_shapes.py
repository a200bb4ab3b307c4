"""Every answer has the keys of the official documentation's own example."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.amocrm.sandbox.conftest import PIPELINE, PROFTEST, Crm

OFFICIAL = Path(__file__).parent / "official"

# Keys that the example of the list lacks and that of one field has, and the other way round.
FIELD_KEYS = frozenset(
    ["account_id", "code", "is_deletable", "entity_type", "settings", "remind", "is_predefined"]
)
ALLOWED = {"fields": FIELD_KEYS, "field": FIELD_KEYS}


def official(name: str) -> Any:
    return json.loads((OFFICIAL / f"{name}.json").read_text(encoding="utf-8"))["body"]


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def differences(theirs: Any, ours: Any, extra: frozenset[str], path: str = "$") -> list[str]:
    """What keeps ``ours`` from having the shape of ``theirs``; ``None`` fits everything."""
    if theirs is None or ours is None:
        return []
    if kind(theirs) != kind(ours):
        return [f"{path}: {kind(theirs)} expected, {kind(ours)} found"]
    if isinstance(theirs, dict):
        missing = theirs.keys() - ours.keys()
        surplus = ours.keys() - theirs.keys() - extra
        found = [f"{path}.{key} is missing" for key in missing]
        found += [f"{path}.{key} is not official" for key in surplus]
        for key in theirs.keys() & ours.keys():
            found += differences(theirs[key], ours[key], extra, f"{path}.{key}")
        return found
    if isinstance(theirs, list) and theirs:
        return [
            found
            for place, one in enumerate(ours)
            for found in differences(theirs[0], one, extra, f"{path}[{place}]")
        ]
    return []


@pytest.fixture
def lead_id(crm: Crm) -> int:
    """A lead with a contact, a tag and two notes, in an account with enough of everything."""
    crm.control.config(old_enum_key=True)
    _, leads = crm.seed(
        contacts=[{"name": f"Контакт {n}", "phones": ["+79123"]} for n in range(5)],
        leads=[{"contact": n, "tags": [f"tag {n}"]} for n in range(5)],
    )
    note = {"note_type": "common", "params": {"text": "Текст"}}
    crm.post(f"leads/{leads[0]}/notes", [note, note, note])
    return leads[0]


def shown(crm: Crm, lead_id: int) -> dict[str, Callable[[], Any]]:
    contact_id = crm.lead(lead_id)["_embedded"]["contacts"][0]["id"]
    phone = {"field_code": "PHONE", "values": [{"value": "1"}]}
    note = {"note_type": "common", "params": {"text": "Текст"}, "entity_id": lead_id}
    link = {
        "to_entity_id": contact_id,
        "to_entity_type": "contacts",
        "metadata": {"is_main": True},
    }
    whole = {"name": "Сделка", "_embedded": {"contacts": [{"first_name": "Екатерина"}]}}
    unknown = {"custom_fields_values": [{"field_id": 1, "values": [{"value": "x"}]}]}
    everything = {"with": "leads,customers,catalog_elements"}
    return {
        "contact_list": lambda: crm.get("contacts", limit=2),
        "contact": lambda: crm.get(f"contacts/{contact_id}", **everything),
        "contacts_added": lambda: crm.post("contacts", [{"custom_fields_values": [phone]}]),
        "contacts_patched": lambda: crm.patch("contacts", [{"id": contact_id, "name": "N"}]),
        "fields": lambda: crm.get("leads/custom_fields", limit=2),
        "field": lambda: crm.get("contacts/custom_fields/66192"),
        "links": lambda: crm.get(f"leads/{lead_id}/links"),
        "links_added": lambda: crm.post(f"leads/{lead_id}/link", [link]),
        "refused": lambda: crm.patch("leads", [{"id": lead_id, **unknown}]),
        "notes": lambda: crm.get(f"leads/{lead_id}/notes", limit=2),
        "note": lambda: crm.get(f"leads/notes/{crm.control.state()['notes'][0]['id']}"),
        "notes_added": lambda: crm.post("leads/notes", [note]),
        "lead_list": lambda: crm.get("leads", limit=2, page=2),
        "leads_added": lambda: crm.post("leads", [{"name": "Сделка"}]),
        "complex": lambda: crm.post("leads/complex", [whole]),
        "leads_patched": lambda: crm.patch("leads", [{"id": lead_id, "price": 1}]),
        "lead_patched": lambda: crm.patch(f"leads/{lead_id}", {"_embedded": {"tags": None}}),
        "pipelines": lambda: crm.get("leads/pipelines"),
        "pipeline": lambda: crm.get(f"leads/pipelines/{PIPELINE}"),
        "stages": lambda: crm.get(f"leads/pipelines/{PIPELINE}/statuses"),
        "stage": lambda: crm.get(f"leads/pipelines/{PIPELINE}/statuses/{PROFTEST}"),
        "tags": lambda: crm.get("leads/tags", limit=2),
    }


@pytest.mark.parametrize("name", sorted(path.stem for path in OFFICIAL.glob("*.json")))
def test_an_answer_has_the_shape_of_the_official_example(crm: Crm, lead_id: int, name: str) -> None:
    body = shown(crm, lead_id)[name]().json()
    assert differences(official(name), body, ALLOWED.get(name, frozenset())) == []


def test_every_lead_of_a_list_and_by_id_has_the_same_keys(crm: Crm, lead_id: int) -> None:
    listed = crm.get("leads").json()["_embedded"]["leads"][0]
    assert listed.keys() == crm.get(f"leads/{lead_id}").json().keys()


def test_the_comparison_notices_a_missing_a_surplus_and_a_changed_key() -> None:
    theirs = {"a": 1, "b": [{"c": "x"}]}
    assert differences(theirs, {"a": 1, "b": []}, frozenset()) == []
    assert differences(theirs, {"b": []}, frozenset()) == ["$.a is missing"]
    assert differences(theirs, {"a": 1, "b": [{"c": "x", "d": 1}]}, frozenset()) == [
        "$.b[0].d is not official"
    ]
    assert differences(theirs, {"a": "1", "b": []}, frozenset()) == [
        "$.a: number expected, str found"
    ]
