"""``/leads/complex``: lead and contact at once, and amoCRM's own duplicate control."""

from __future__ import annotations

from typing import Any

from tests.amocrm.sandbox.conftest import EXPRESS, PIPELINE, PROFTEST, UNSORTED, Crm, errors_of


def wish(email: str = "test@onai.academy", phone: str = "+77771112233", **more: Any) -> Any:
    contact = {
        "name": "Айгерим",
        "custom_fields_values": [
            {"field_code": "EMAIL", "values": [{"value": email, "enum_code": "WORK"}]},
            {"field_code": "PHONE", "values": [{"value": phone, "enum_code": "WORK"}]},
        ],
    }
    return {
        "name": "Профтест",
        "pipeline_id": PIPELINE,
        "status_id": PROFTEST,
        "_embedded": {"contacts": [contact], "tags": [{"name": "proftest"}]},
        **more,
    }


def test_a_lead_and_its_contact_are_made_together(crm: Crm) -> None:
    answer = crm.post("leads/complex", [wish(request_id="mine")])
    (row,) = answer.json()
    assert (row["company_id"], row["request_id"], row["merged"]) == (None, ["mine"], False)
    lead = crm.lead(row["id"])
    assert (lead["name"], lead["status_id"]) == ("Профтест", PROFTEST)
    assert [one["id"] for one in lead["_embedded"]["contacts"]] == [row["contact_id"]]
    assert crm.contact_values(row["contact_id"], "EMAIL") == ["test@onai.academy"]
    assert crm.found("7771112233") == [row["contact_id"]]


def test_a_lead_is_put_on_a_contact_that_exists(crm: Crm) -> None:
    contact_id = crm.add_contact()
    body = {"name": "Профтест", "_embedded": {"contacts": [{"id": contact_id}]}}
    (row,) = crm.post("leads/complex", [body]).json()
    assert row["contact_id"] == contact_id
    assert len(crm.control.state()["contacts"]) == 1


def test_a_repeated_request_makes_a_second_lead_and_contact(crm: Crm) -> None:
    first, second = (
        crm.post("leads/complex", [wish(request_id="same")]).json()[0] for _ in range(2)
    )
    assert first["id"] != second["id"]
    assert first["contact_id"] != second["contact_id"]


def test_an_unknown_field_of_the_contact_is_refused_with_its_path(crm: Crm) -> None:
    body = wish()
    body["_embedded"]["contacts"][0]["custom_fields_values"][1]["field_code"] = "FAX"
    answer = crm.post("leads/complex", [body])
    path = "_embedded.contacts.0.custom_fields_values.1.field_code"
    assert errors_of(answer) == [("NotSupportedChoice", path)]
    assert crm.control.state()["contacts"] == []


def test_an_unknown_contact_is_refused(crm: Crm) -> None:
    body = {"_embedded": {"contacts": [{"id": 1}]}}
    assert errors_of(crm.post("leads/complex", [body])) == [
        ("NotSupportedChoice", "_embedded.contacts.0.id")
    ]


def test_two_contacts_and_more_than_forty_values_are_refused(crm: Crm) -> None:
    row = {"field_code": "UTM_TERM", "values": [{"value": "x"}]}
    many = crm.post("leads/complex", [{"custom_fields_values": [row] * 41}])
    assert errors_of(many) == [("TooMany", "custom_fields_values")]
    two = crm.post("leads/complex", [{"_embedded": {"contacts": [{}, {}]}}])
    assert errors_of(two) == [("TooMany", "_embedded.contacts")]


def test_more_than_fifty_leads_are_422(crm: Crm) -> None:
    answer = crm.post("leads/complex", [{"name": "x"}] * 51)
    assert (answer.status_code, answer.json()["detail"]) == (422, "Limit 50 per page")
    assert crm.control.state()["leads"] == []


def test_metadata_sends_the_lead_to_the_unsorted_and_hides_its_contact(crm: Crm) -> None:
    body = wish()
    body["_embedded"]["metadata"] = {"category": "forms", "form_id": 1}
    (row,) = crm.post("leads/complex", [body]).json()
    assert crm.lead(row["id"])["status_id"] == UNSORTED
    assert crm.found("test@onai.academy") == []
    assert crm.get("contacts").status_code == 204
    crm.control.act("move_lead", lead_id=row["id"], status_id=PROFTEST)
    assert crm.found("test@onai.academy") == [row["contact_id"]]


def test_duplicate_control_answers_with_the_lead_that_exists(crm: Crm) -> None:
    (first,) = crm.post("leads/complex", [wish()]).json()
    crm.control.config(duplicate_control=True)
    again = wish("other@onai.academy", "8 777 111 22 33", status_id=EXPRESS, name="Другое")
    again["_embedded"]["tags"] = [{"name": "express"}]
    (second,) = crm.post("leads/complex", [again]).json()
    assert (second["id"], second["contact_id"], second["merged"]) == (
        first["id"],
        first["contact_id"],
        True,
    )
    lead = crm.lead(first["id"])
    assert (lead["status_id"], lead["name"]) == (PROFTEST, "Профтест")
    assert {tag["name"] for tag in lead["_embedded"]["tags"]} == {"express"}
    assert len(crm.control.state()["contacts"]) == 1


def test_duplicate_control_does_not_look_within_one_request(crm: Crm) -> None:
    crm.control.config(duplicate_control=True)
    rows = crm.post("leads/complex", [wish(), wish()]).json()
    assert [row["merged"] for row in rows] == [False, False]


def test_duplicate_control_gives_up_over_three_duplicates(crm: Crm) -> None:
    crm.seed(contacts=[{"emails": ["test@onai.academy"]} for _ in range(4)], leads=[{"contact": 0}])
    crm.control.config(duplicate_control=True)
    (row,) = crm.post("leads/complex", [wish()]).json()
    assert row["merged"] is False


def test_duplicate_control_makes_a_new_lead_when_the_old_one_is_closed(crm: Crm) -> None:
    (first,) = crm.post("leads/complex", [wish()]).json()
    crm.control.act("close_lead", lead_id=first["id"])
    crm.control.config(duplicate_control=True)
    (second,) = crm.post("leads/complex", [wish()]).json()
    assert second["merged"] is False
    assert second["id"] != first["id"]
