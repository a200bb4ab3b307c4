"""Leads: writing, stages, tags, deletion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.amocrm.sandbox.conftest import (
    EXPRESS,
    LOST,
    NEW,
    PIPELINE,
    PROFTEST,
    UNSORTED,
    WON,
    Crm,
    errors_of,
)

SECOND = 3177730


@pytest.fixture
def lead_id(crm: Crm) -> int:
    _, (lead_id,) = crm.seed(
        contacts=[{"name": "Айгерим"}],
        leads=[{"contact": 0, "name": "Заявка", "tags": ["old"], "status_id": PROFTEST}],
    )
    return lead_id


def tags(crm: Crm, lead_id: int) -> list[str]:
    return [tag["name"] for tag in crm.lead(lead_id)["_embedded"]["tags"]]


def test_an_unknown_lead_is_204(crm: Crm) -> None:
    assert crm.get("leads/1").status_code == 204


def test_a_new_lead_goes_to_the_first_ordinary_stage_of_the_main_pipeline(crm: Crm) -> None:
    made = crm.post("leads", [{}]).json()["_embedded"]["leads"][0]["id"]
    lead = crm.lead(made)
    assert (lead["pipeline_id"], lead["status_id"]) == (PIPELINE, NEW)
    assert lead["name"]
    assert lead["is_deleted"] is False


def test_a_new_lead_takes_stage_fields_tags_and_contacts(crm: Crm) -> None:
    contact_id = crm.add_contact()
    body = {
        "name": "Заявка",
        "price": 100,
        "status_id": EXPRESS,
        "pipeline_id": PIPELINE,
        "custom_fields_values": [{"field_code": "UTM_SOURCE", "values": [{"value": "google"}]}],
        "_embedded": {"tags": [{"name": "a"}, {"name": "b"}], "contacts": [{"id": contact_id}]},
    }
    made = crm.post("leads", [body]).json()["_embedded"]["leads"][0]["id"]
    lead = crm.lead(made)
    assert (lead["name"], lead["price"], lead["status_id"]) == ("Заявка", 100, EXPRESS)
    assert [tag["name"] for tag in lead["_embedded"]["tags"]] == ["a", "b"]
    (field,) = lead["custom_fields_values"]
    assert (field["field_code"], field["field_type"]) == ("UTM_SOURCE", "tracking_data")
    assert field["values"] == [{"value": "google"}]
    (contact,) = lead["_embedded"]["contacts"]
    assert (contact["id"], contact["is_main"]) == (contact_id, True)


def test_contacts_are_embedded_only_when_asked_for(crm: Crm, lead_id: int) -> None:
    assert "contacts" not in crm.get(f"leads/{lead_id}").json()["_embedded"]


def test_tags_are_added_and_deleted_without_touching_others(crm: Crm, lead_id: int) -> None:
    crm.patch(f"leads/{lead_id}", {"tags_to_add": [{"name": "new"}, {"name": "OLD"}]})
    assert sorted(tags(crm, lead_id)) == ["new", "old"]
    crm.patch("leads", [{"id": lead_id, "tags_to_delete": [{"name": "old"}]}])
    assert tags(crm, lead_id) == ["new"]


def test_embedded_tags_replace_the_set(crm: Crm, lead_id: int) -> None:
    crm.patch(f"leads/{lead_id}", {"_embedded": {"tags": [{"name": "only"}]}})
    assert tags(crm, lead_id) == ["only"]
    crm.patch(f"leads/{lead_id}", {"_embedded": {"tags": None}})
    assert tags(crm, lead_id) == []


def test_a_patch_leaves_what_it_does_not_name(crm: Crm, lead_id: int) -> None:
    crm.patch(f"leads/{lead_id}", {"price": 5})
    lead = crm.lead(lead_id)
    assert (lead["name"], lead["status_id"], lead["price"]) == ("Заявка", PROFTEST, 5)
    assert tags(crm, lead_id) == ["old"]


@pytest.mark.parametrize(("status", "closed"), [(WON, True), (LOST, True), (EXPRESS, False)])
def test_a_lead_moves_to_a_stage_and_closes_with_it(
    crm: Crm, lead_id: int, status: int, closed: bool
) -> None:
    assert crm.patch(f"leads/{lead_id}", {"status_id": status}).status_code == 200
    lead = crm.lead(lead_id)
    assert (lead["pipeline_id"], lead["status_id"]) == (PIPELINE, status)
    assert (lead["closed_at"] is not None) is closed


def test_the_closing_stages_have_the_same_ids_in_every_pipeline(crm: Crm, lead_id: int) -> None:
    crm.patch(f"leads/{lead_id}", {"status_id": WON, "pipeline_id": SECOND})
    lead = crm.lead(lead_id)
    assert (lead["pipeline_id"], lead["status_id"]) == (SECOND, WON)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"status_id": 1}, "status_id"),
        ({"pipeline_id": 1}, "pipeline_id"),
        ({"status_id": PROFTEST, "pipeline_id": SECOND}, "status_id"),
        ({"status_id": UNSORTED}, "status_id"),
        (
            {"custom_fields_values": [{"field_id": 1, "values": []}]},
            "custom_fields_values.0.field_id",
        ),
        (
            {"custom_fields_values": [{"field_code": "PHONE", "values": []}]},
            "custom_fields_values.0.field_code",
        ),
    ],
)
def test_a_wrong_choice_is_refused_with_its_path_and_changes_nothing(
    crm: Crm, lead_id: int, change: dict[str, Any], path: str
) -> None:
    before = crm.lead(lead_id)
    answer = crm.patch(f"leads/{lead_id}", {**change, "name": "other"})
    assert errors_of(answer) == [("NotSupportedChoice", path)]
    assert crm.lead(lead_id) == before


def test_one_bad_lead_rejects_the_whole_request(crm: Crm) -> None:
    answer = crm.post("leads", [{"name": "a"}, {"name": "b", "status_id": 1, "request_id": "x"}])
    assert errors_of(answer) == [("NotSupportedChoice", "status_id")]
    assert answer.json()["validation-errors"][0]["request_id"] == "x"
    assert crm.get("leads").status_code == 204


def test_a_dropped_field_is_refused_and_no_longer_listed(crm: Crm, lead_id: int) -> None:
    crm.control.config(drop_field="FBCLID")
    row = {"field_code": "FBCLID", "values": [{"value": "x"}]}
    answer = crm.patch(f"leads/{lead_id}", {"custom_fields_values": [row]})
    assert errors_of(answer) == [("NotSupportedChoice", "custom_fields_values.0.field_code")]
    fields = crm.get("leads/custom_fields", limit=250).json()["_embedded"]["custom_fields"]
    assert "FBCLID" not in [one["code"] for one in fields]


def test_a_dropped_stage_is_refused_and_no_longer_listed(crm: Crm, lead_id: int) -> None:
    crm.control.config(drop_stage=EXPRESS)
    answer = crm.patch(f"leads/{lead_id}", {"status_id": EXPRESS})
    assert errors_of(answer) == [("NotSupportedChoice", "status_id")]
    stages = crm.get(f"leads/pipelines/{PIPELINE}/statuses").json()["_embedded"]["statuses"]
    assert EXPRESS not in [one["id"] for one in stages]


def test_a_deleted_lead_cannot_be_changed_noted_or_linked(crm: Crm, lead_id: int) -> None:
    crm.control.act("delete_lead", lead_id=lead_id)
    note = {"note_type": "common", "params": {"text": "x"}}
    for answer in (
        crm.patch(f"leads/{lead_id}", {"name": "x"}),
        crm.patch("leads", [{"id": lead_id, "name": "x"}]),
        crm.post(f"leads/{lead_id}/notes", [note]),
        crm.post(f"leads/{lead_id}/link", [{"to_entity_id": 1, "to_entity_type": "contacts"}]),
    ):
        assert answer.status_code == 400
        assert "validation-errors" not in answer.json()
        assert answer.json()["errors"][0]["code"] == 226


def test_a_deleted_lead_shows_its_flag_or_is_gone(crm: Crm, lead_id: int) -> None:
    crm.control.act("delete_lead", lead_id=lead_id)
    assert crm.lead(lead_id)["is_deleted"] is True
    assert crm.get("leads").status_code == 204
    crm.control.config(deleted_leads="empty")
    assert crm.get(f"leads/{lead_id}").status_code == 204


def test_an_unknown_lead_cannot_be_changed(crm: Crm) -> None:
    assert crm.patch("leads/1", {"name": "x"}).status_code == 404
    assert errors_of(crm.patch("leads", [{"id": 1}])) == [("NotSupportedChoice", "id")]


@pytest.mark.parametrize(
    ("setting", "is_collection"), [("documented", False), ("embedded", True), ("object", False)]
)
def test_a_patch_of_one_lead_answers_either_way(
    crm: Crm, lead_id: int, setting: str, is_collection: bool
) -> None:
    crm.control.config(single_patch_answer=setting)
    body = crm.patch(f"leads/{lead_id}", {"price": 1}).json()
    row = body["_embedded"]["leads"][0] if is_collection else body
    assert (row["id"], row["updated_at"]) == (lead_id, crm.lead(lead_id)["updated_at"])


def test_leads_are_listed_by_update_and_never_by_contact(crm: Crm) -> None:
    (mine, _), leads = crm.seed(
        contacts=[{"name": "a"}, {"name": "b"}],
        leads=[
            {"contact": 0, "updated_at": 20, "created_at": 1},
            {"contact": 1, "updated_at": 30, "created_at": 1},
        ],
    )
    answer = crm.get("leads", **{"filter[contact_id]": mine, "order[updated_at]": "desc"})
    assert [one["id"] for one in answer.json()["_embedded"]["leads"]] == leads[::-1]
