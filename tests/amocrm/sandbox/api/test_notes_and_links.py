"""Notes, links to contacts, and the list of tags."""

from __future__ import annotations

from typing import Any

import pytest

from tests.amocrm.sandbox.conftest import Crm, errors_of


@pytest.fixture
def lead_id(crm: Crm) -> int:
    _, (lead_id,) = crm.seed(contacts=[{"name": "a"}], leads=[{"contact": 0}])
    return lead_id


def note(text: str = "Текст", **more: Any) -> dict[str, Any]:
    return {"note_type": "common", "params": {"text": text}, **more}


def texts(crm: Crm, lead_id: int, **params: Any) -> list[str]:
    answer = crm.get(f"leads/{lead_id}/notes", **params)
    return [one["params"]["text"] for one in answer.json()["_embedded"]["notes"]]


def test_a_lead_without_notes_answers_204(crm: Crm, lead_id: int) -> None:
    assert crm.get(f"leads/{lead_id}/notes").status_code == 204
    assert crm.get("leads/notes/1").status_code == 204


def test_notes_are_written_either_way_and_read_by_lead_and_id(crm: Crm, lead_id: int) -> None:
    one = crm.post("leads/notes", [note("a", entity_id=lead_id, request_id="x")]).json()
    two = crm.post(f"leads/{lead_id}/notes", [note("b")]).json()
    assert texts(crm, lead_id) == ["a", "b"]
    (row,) = one["_embedded"]["notes"]
    assert (row["entity_id"], row["request_id"]) == (lead_id, "x")
    note_id = two["_embedded"]["notes"][0]["id"]
    assert crm.get(f"leads/notes/{note_id}").json()["params"] == {"text": "b"}
    assert crm.get(f"leads/{lead_id}/notes/{note_id}").json()["id"] == note_id
    assert crm.get(f"leads/{lead_id + 2}/notes/{note_id}").status_code == 204


def test_the_same_note_twice_is_two_notes(crm: Crm, lead_id: int) -> None:
    for _ in range(2):
        crm.post(f"leads/{lead_id}/notes", [note("same", request_id="1")])
    assert texts(crm, lead_id) == ["same", "same"]


def test_notes_come_in_pages_newest_first_if_asked(crm: Crm, lead_id: int) -> None:
    crm.post(f"leads/{lead_id}/notes", [note(str(n)) for n in range(5)])
    assert texts(crm, lead_id, limit=2, **{"order[id]": "desc"}) == ["4", "3"]
    assert texts(crm, lead_id, limit=2, page=3) == ["4"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"note_type": "common", "params": {"text": " "}}, ("NotBlank", "params.text")),
        ({"note_type": "common"}, ("NotBlank", "params")),
        ({"note_type": "poem", "params": {"text": "x"}}, ("NotSupportedChoice", "note_type")),
    ],
)
def test_a_bad_note_is_refused(
    crm: Crm, lead_id: int, body: dict[str, Any], error: tuple[str, str]
) -> None:
    assert errors_of(crm.post(f"leads/{lead_id}/notes", [body, note()])) == [error]
    assert crm.control.state()["notes"] == []


def test_a_note_over_the_limit_is_refused(crm: Crm, lead_id: int) -> None:
    crm.control.config(note_limit=10)
    assert crm.post(f"leads/{lead_id}/notes", [note("x" * 10)]).status_code == 200
    answer = crm.post(f"leads/{lead_id}/notes", [note("x" * 11)])
    assert errors_of(answer) == [("TooLong", "params.text")]


def test_a_note_on_an_unknown_lead_is_refused(crm: Crm) -> None:
    assert crm.post("leads/1/notes", [note()]).status_code == 404
    answer = crm.post("leads/notes", [note(entity_id=1)])
    assert errors_of(answer) == [("NotSupportedChoice", "entity_id")]


def test_a_new_main_contact_takes_the_place_of_the_old_one(crm: Crm, lead_id: int) -> None:
    first = crm.lead(lead_id)["_embedded"]["contacts"][0]["id"]
    second, third = crm.add_contact(), crm.add_contact()
    rows = [
        {"to_entity_id": second, "to_entity_type": "contacts", "metadata": {"is_main": True}},
        {"to_entity_id": third, "to_entity_type": "contacts"},
    ]
    answer = crm.post(f"leads/{lead_id}/link", rows).json()
    assert answer["_total_items"] == 2
    links = crm.get(f"leads/{lead_id}/links").json()["_embedded"]["links"]
    assert {one["to_entity_id"]: one["metadata"]["main_contact"] for one in links} == {
        second: True,
        first: False,
        third: False,
    }
    assert {one["id"]: one["is_main"] for one in crm.lead(lead_id)["_embedded"]["contacts"]} == {
        second: True,
        first: False,
        third: False,
    }


def test_a_contact_is_unlinked(crm: Crm, lead_id: int) -> None:
    contact_id = crm.lead(lead_id)["_embedded"]["contacts"][0]["id"]
    rows = [{"to_entity_id": contact_id, "to_entity_type": "contacts"}]
    assert crm.post(f"leads/{lead_id}/unlink", rows).status_code == 204
    assert crm.lead(lead_id)["_embedded"]["contacts"] == []


def test_linking_an_unknown_contact_is_refused(crm: Crm, lead_id: int) -> None:
    rows = [{"to_entity_id": 1, "to_entity_type": "contacts"}]
    answer = crm.post(f"leads/{lead_id}/link", rows)
    assert errors_of(answer) == [("NotSupportedChoice", "to_entity_id")]
    assert crm.get("leads/1/links").status_code == 404


def test_tags_are_listed_once_each_and_searched(crm: Crm, lead_id: int) -> None:
    for name in ("proftest", "Proftest", "express"):
        crm.patch(f"leads/{lead_id}", {"tags_to_add": [{"name": name}]})
    rows = crm.get("leads/tags").json()["_embedded"]["tags"]
    assert [one["name"] for one in rows] == ["proftest", "express"]
    rows = crm.get("leads/tags", query="expr").json()["_embedded"]["tags"]
    assert [one["name"] for one in rows] == ["express"]
    assert crm.get("contacts/tags").status_code == 204
