"""What batches meet: rows refused one by one, saved in part, merged, answered in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from amocrm.sandbox.control_client import ControlError
from tests.amocrm.sandbox.conftest import PIPELINE, PROFTEST, Crm

COMPLEX = "/api/v4/leads/complex"


def person(name: str, *, email: str = "", phone: str = "", **more: Any) -> dict[str, Any]:
    """A row of ``/leads/complex`` whose lead, contact and ``request_id`` have one name."""
    values = [
        {"field_code": code, "values": [{"value": value}]}
        for code, value in (("EMAIL", email), ("PHONE", phone))
        if value
    ]
    contact = {"name": name, "custom_fields_values": values or None}
    return {"name": name, "request_id": name, "_embedded": {"contacts": [contact]}, **more}


def note(lead_id: int, text: str, **more: Any) -> dict[str, Any]:
    return {"entity_id": lead_id, "note_type": "common", "params": {"text": text}, **more}


def named(answer: requests.Response) -> list[str]:
    """The request ids of the rows that a 400 names."""
    assert answer.status_code == 400, answer.text
    return [row["request_id"] for row in answer.json()["validation-errors"]]


def names(crm: Crm, what: str = "leads") -> list[str]:
    return [one["name"] for one in crm.control.state()[what]]


def texts(crm: Crm) -> list[str]:
    return [one["text"] for one in crm.control.state()["notes"]]


# The bulk calls as they are


def test_notes_of_many_leads_echo_each_request_id(crm: Crm) -> None:
    _, leads = crm.seed(leads=[{}] * 50)
    rows = [note(lead_id, f"to {lead_id}", request_id=f"r{lead_id}") for lead_id in leads]
    answer = crm.post("leads/notes", rows).json()["_embedded"]["notes"]
    assert [(one["entity_id"], one["request_id"]) for one in answer] == [
        (lead_id, f"r{lead_id}") for lead_id in leads
    ]
    assert texts(crm) == [f"to {lead_id}" for lead_id in leads]


def test_the_newest_notes_of_all_leads_come_in_one_list(crm: Crm) -> None:
    _, leads = crm.seed(leads=[{}] * 3)
    for round_ in "ab":
        crm.post("leads/notes", [note(one, f"{round_}{one}") for one in leads])
    answer = crm.get("leads/notes", **{"order[id]": "desc", "limit": 4}).json()
    found = [(one["entity_id"], one["params"]["text"]) for one in answer["_embedded"]["notes"]]
    first, second, third = leads
    assert found == [
        (third, f"b{third}"),
        (second, f"b{second}"),
        (first, f"b{first}"),
        (third, f"a{third}"),
    ]
    assert "next" in answer["_links"]


def test_a_list_of_leads_is_changed_at_once(crm: Crm) -> None:
    _, leads = crm.seed(leads=[{}] * 50)
    rows = [{"id": one, "price": one, "status_id": PROFTEST} for one in leads]
    answer = crm.patch("leads", rows).json()["_embedded"]["leads"]
    assert [one["id"] for one in answer] == leads
    for one in answer:
        lead = crm.lead(one["id"])
        assert (lead["price"], lead["status_id"]) == (one["id"], PROFTEST)
        assert lead["updated_at"] == one["updated_at"]


@pytest.mark.parametrize(
    ("method", "path", "row"),
    [
        ("POST", "leads/notes", {"note_type": "common", "params": {"text": "N"}}),
        ("PATCH", "leads", {"price": 5}),
    ],
)
def test_more_than_250_rows_are_422_and_250_are_not(
    crm: Crm, method: str, path: str, row: dict[str, Any]
) -> None:
    _, (lead_id,) = crm.seed(leads=[{}])
    many = [{**row, "id": lead_id, "entity_id": lead_id}] * 251
    answer = crm.call(method, path, json=many)
    assert (answer.status_code, answer.json()["detail"]) == (422, "Limit 250 per page")
    assert texts(crm) == []
    assert crm.lead(lead_id)["price"] == 0
    assert crm.call(method, path, json=many[:250]).status_code == 200


# One bad row


Bad = Callable[[Crm], requests.Response]


def complex_with_two_bad_rows(crm: Crm) -> requests.Response:
    rows = [person(one) for one in "abcd"]
    rows[1]["custom_fields_values"] = [{"field_code": "NONE", "values": [{"value": "x"}]}]
    rows[3]["price"] = "much"
    return crm.post("leads/complex", rows)


def notes_with_two_bad_rows(crm: Crm) -> requests.Response:
    _, leads = crm.seed(leads=[{}] * 2)
    rows = [note(one, text, request_id=text) for one, text in zip(leads, "ac", strict=True)]
    rows.insert(1, note(1, "b", request_id="b"))
    rows.append({**note(leads[0], "d", request_id="d"), "params": {"text": " "}})
    return crm.post("leads/notes", rows)


def changes_with_two_bad_rows(crm: Crm) -> requests.Response:
    _, leads = crm.seed(leads=[{"name": "-"}] * 3)
    rows = [{"id": one, "name": name} for one, name in zip(leads, "acd", strict=True)]
    rows.insert(1, {"id": 1, "name": "b"})
    rows[3]["status_id"] = 5
    # Rows without a request_id are named by their place.
    rows[0]["request_id"], rows[2]["request_id"] = "a", "c"
    return crm.patch("leads", rows)


@pytest.mark.parametrize(
    ("send", "wrong", "seen", "nothing"),
    [
        (complex_with_two_bad_rows, ["b", "d"], names, []),
        (notes_with_two_bad_rows, ["b", "d"], texts, []),
        (changes_with_two_bad_rows, ["1", "3"], names, ["-", "-", "-"]),
    ],
)
def test_bad_rows_refuse_the_whole_batch_unless_the_account_does_otherwise(
    crm: Crm, send: Bad, wrong: list[str], seen: Callable[[Crm], list[str]], nothing: list[str]
) -> None:
    assert named(send(crm)) == wrong
    assert seen(crm) == nothing
    crm.control.reset()
    crm.control.config(partial_400=True)
    assert named(send(crm)) == wrong
    assert seen(crm) == ["a", "c", *nothing[2:]]


def test_a_partial_400_with_nothing_but_bad_rows_makes_nothing(crm: Crm) -> None:
    crm.control.config(partial_400=True)
    assert named(crm.post("leads/complex", [person("a", price="much")])) == ["a"]
    _, (lead_id,) = crm.seed(leads=[{"name": "-"}])
    assert named(crm.patch(f"leads/{lead_id}", {"name": "a", "price": "much"})) == ["0"]
    assert names(crm) == ["-"]


def test_a_deleted_lead_refuses_the_batch_even_of_a_partial_account(crm: Crm) -> None:
    crm.control.config(partial_400=True)
    _, (gone, living) = crm.seed(leads=[{"name": "-"}] * 2)
    crm.control.act("delete_lead", lead_id=gone)
    rows = [{"id": one, "name": "a"} for one in (living, gone)]
    assert crm.patch("leads", rows).json()["errors"][0]["code"] == 226
    assert names(crm) == ["-", "-"]


# Saved in part


@pytest.mark.parametrize(("part", "saved"), [(0, ""), (0.5, "ab"), (0.99, "abcd"), (1, "abcde")])
def test_a_batch_is_saved_in_part_before_its_504(crm: Crm, part: float, saved: str) -> None:
    crm.control.fault("commit_then_answer", path=COMPLEX, status=504, part=part)
    answer = crm.post("leads/complex", [person(one) for one in "abcde"])
    assert answer.status_code == 504
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>504 Gateway Timeout</h1>" in answer.text
    assert names(crm) == names(crm, "contacts") == list(saved)


def test_a_part_is_not_short_of_a_row_by_rounding(crm: Crm) -> None:
    crm.control.fault("commit_then_answer", path=COMPLEX, part=0.58)
    crm.post("leads/complex", [person(str(n)) for n in range(50)])
    assert len(names(crm)) == 29


def test_every_bulk_write_can_be_saved_in_part(crm: Crm) -> None:
    _, leads = crm.seed(leads=[{"name": "-"}] * 4)
    crm.control.fault("commit_then_answer", method="POST", part=0.5, status=504)
    crm.control.fault("commit_then_answer", method="PATCH", part=0.5, status=504)
    assert crm.post("leads/notes", [note(one, str(one)) for one in leads]).status_code == 504
    assert crm.patch("leads", [{"id": one, "name": "a"} for one in leads]).status_code == 504
    assert texts(crm) == [str(one) for one in leads[:2]]
    assert names(crm) == ["a", "a", "-", "-"]


def test_one_object_is_saved_whole_or_not_at_all(crm: Crm) -> None:
    _, (lead_id,) = crm.seed(leads=[{"name": "-"}])
    crm.control.fault("commit_then_answer", part=0.99, status=504)
    assert crm.patch(f"leads/{lead_id}", {"name": "a"}).status_code == 504
    assert names(crm) == ["-"]


def test_a_batch_can_lose_its_answer_with_a_part_saved(crm: Crm) -> None:
    crm.control.fault("lose_answer", part=0.5)
    with pytest.raises(requests.ConnectionError):
        crm.post("leads/complex", [person(one) for one in "abcd"])
    assert names(crm) == ["a", "b"]


def test_a_late_batch_can_be_carried_out_in_part(crm: Crm) -> None:
    crm.control.fault("apply_late", part=0.5, delay=3600)
    with pytest.raises(requests.ConnectionError):
        crm.post("leads/complex", [person(one) for one in "abcd"])
    assert names(crm) == []
    crm.control.apply_late()
    assert names(crm) == ["a", "b"]


def test_an_answer_can_leave_out_rows_that_were_not_carried_out(crm: Crm) -> None:
    crm.control.fault("delay_answer", part=0.5)
    answer = crm.post("leads/complex", [person(one) for one in "abcd"])
    assert [row["request_id"] for row in answer.json()] == [["a"], ["b"]]
    assert names(crm) == ["a", "b"]


@pytest.mark.parametrize("part", [-0.1, 1.1, "half"])
def test_a_part_is_a_number_from_0_to_1(crm: Crm, part: object) -> None:
    with pytest.raises(ControlError, match="part"):
        crm.control.fault("lose_answer", part=part)
    assert crm.control.faults() == []


def test_only_a_5xx_without_a_body_is_the_page_of_nginx(crm: Crm) -> None:
    crm.control.fault("answer", status=502)
    crm.control.fault("answer", status=502, body="")
    crm.control.fault("answer", status=422)
    answers = [crm.get("account").text for _ in range(3)]
    assert "<h1>502 Bad Gateway</h1>" in answers[0]
    assert answers[1:] == ["", ""]


# The order of an answer


def test_an_answer_may_come_in_another_order_than_asked(crm: Crm) -> None:
    crm.control.config(shuffle_answers=True)
    made = crm.post("leads/complex", [person(one) for one in "abc"]).json()
    assert [row["request_id"] for row in made] == [["c"], ["b"], ["a"]]
    assert [crm.lead(row["id"])["name"] for row in made] == ["c", "b", "a"]
    leads = [row["id"] for row in made]
    notes = crm.post("leads/notes", [note(one, "N", request_id=str(one)) for one in leads])
    rows = notes.json()["_embedded"]["notes"]
    assert [row["entity_id"] for row in rows] == leads[::-1]
    assert [row["request_id"] for row in rows] == [str(one) for one in leads[::-1]]
    changed = crm.patch("leads", [{"id": one, "price": 1} for one in leads]).json()
    assert [row["id"] for row in changed["_embedded"]["leads"]] == leads[::-1]


# Doubles within one request


@pytest.fixture
def merging(crm: Crm) -> Crm:
    crm.control.config(merge_within_request=True)
    return crm


def test_rows_of_one_person_become_one_lead_and_one_element(merging: Crm) -> None:
    rows = [
        person("a", email="a@onai.academy"),
        person("b", email="b@onai.academy"),
        person("c", email="A@onai.academy", phone="8 701 222 33 44"),
        person("d", phone="+77012223344", tags_to_add=[{"name": "express"}]),
    ]
    first, second = merging.post("leads/complex", rows).json()
    assert (first["request_id"], first["merged"]) == (["a", "c", "d"], True)
    assert (second["request_id"], second["merged"]) == (["b"], False)
    assert names(merging) == names(merging, "contacts") == ["a", "b"]
    lead = merging.lead(first["id"])
    assert [one["name"] for one in lead["_embedded"]["tags"]] == ["express"]
    assert [one["id"] for one in lead["_embedded"]["contacts"]] == [first["contact_id"]]


def test_nobody_of_another_request_is_merged(merging: Crm) -> None:
    first, second = (
        merging.post("leads/complex", [person(one, email="a@onai.academy")]).json()[0]
        for one in "ab"
    )
    assert first["id"] != second["id"]
    assert [first["merged"], second["merged"]] == [False, False]


def test_two_rows_on_one_lead_of_before_are_one_element_too(merging: Crm) -> None:
    _, (lead_id,) = merging.seed(
        contacts=[{"emails": ["a@onai.academy"]}],
        leads=[{"contact": 0, "pipeline_id": PIPELINE}],
    )
    merging.control.config(duplicate_control=True)
    rows = [person(one, email="a@onai.academy") for one in "ab"]
    (row,) = merging.post("leads/complex", rows).json()
    assert (row["id"], row["request_id"], row["merged"]) == (lead_id, ["a", "b"], True)


def test_without_the_switch_rows_of_one_person_are_two_leads(crm: Crm) -> None:
    rows = crm.post("leads/complex", [person(one, email="a@onai.academy") for one in "ab"]).json()
    assert [(row["request_id"], row["merged"]) for row in rows] == [(["a"], False), (["b"], False)]
