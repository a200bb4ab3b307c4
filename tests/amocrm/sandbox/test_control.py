"""Looking into the account, planting, and what managers do behind the client's back."""

from __future__ import annotations

import threading

import pytest
import requests

from amocrm.sandbox.control_client import ControlError
from amocrm.sandbox.server import start
from tests.amocrm.sandbox.conftest import EXPRESS, LOST, PROFTEST, WON, Crm


def test_the_state_shows_everything_in_order_of_arrival(crm: Crm) -> None:
    contact_id = crm.add_contact(email="a@b.kz", phone="1111111")
    lead_id = crm.post(
        "leads",
        [
            {
                "name": "L",
                "status_id": PROFTEST,
                "custom_fields_values": [
                    {"field_code": "UTM_SOURCE", "values": [{"value": "google"}]}
                ],
                "_embedded": {"tags": [{"name": "t"}], "contacts": [{"id": contact_id}]},
            }
        ],
    ).json()["_embedded"]["leads"][0]["id"]
    crm.post(f"leads/{lead_id}/notes", [{"note_type": "common", "params": {"text": "N"}}])
    state = crm.control.state()
    (contact,) = state["contacts"]
    assert (contact["id"], contact["emails"], contact["phones"], contact["lead_ids"]) == (
        contact_id,
        ["a@b.kz"],
        ["1111111"],
        [lead_id],
    )
    (lead,) = state["leads"]
    assert (lead["id"], lead["status_id"], lead["stage"], lead["is_active"]) == (
        lead_id,
        PROFTEST,
        "Профтест пройден",
        True,
    )
    assert (lead["tags"], lead["fields"], lead["contact_ids"]) == (
        ["t"],
        {"UTM_SOURCE": "google"},
        [contact_id],
    )
    (note,) = state["notes"]
    assert (note["entity_id"], note["text"]) == (lead_id, "N")
    assert [one["type"] for one in state["order"]] == ["contact", "lead", "note"]
    assert state["requests"]["counts"] == {
        "POST /api/v4/contacts": 1,
        "POST /api/v4/leads": 1,
        "POST /api/v4/leads/{id}/notes": 1,
    }


def test_a_reset_empties_the_account_and_restores_the_settings_it_started_with() -> None:
    with start(index_lag=5, rps=0) as running:
        crm = Crm(running)
        first = crm.add_contact()
        crm.control.config(index_lag=9, drop_field="FBCLID", clock_offset=100)
        crm.control.fault("answer", times=-1)
        crm.control.reset()
        assert crm.get("contacts").status_code == 204
        assert crm.control.config()["index_lag"] == 5
        assert crm.control.config()["clock_offset"] == 0
        codes = crm.get("leads/custom_fields").json()["_embedded"]["custom_fields"]
        assert "FBCLID" in [one["code"] for one in codes]
        assert crm.control.state()["requests"]["total"] == 2
        assert crm.add_contact() > first, "ids are never used twice"
        crm.session.close()


def test_a_contact_shows_its_leads_however_they_were_linked(crm: Crm) -> None:
    (first, second, third), (lead_id, other_id) = crm.seed(
        contacts=[{"name": "a"}, {"name": "b"}, {"name": "c"}],
        leads=[{"contact": 0}, {"contact": 1}],
    )

    def leads() -> list[list[int]]:
        found = crm.get("contacts", **{"with": "leads"}).json()["_embedded"]["contacts"]
        return [[lead["id"] for lead in one["_embedded"]["leads"]] for one in found]

    def link(how: str, lead: int, contact: int) -> None:
        row = {"to_entity_id": contact, "to_entity_type": "contacts"}
        assert crm.post(f"leads/{lead}/{how}", [row]).ok

    assert leads() == [[lead_id], [other_id], []]
    link("link", other_id, first)
    link("link", lead_id, third)
    assert leads() == [[lead_id, other_id], [other_id], [lead_id]]
    link("unlink", lead_id, first)
    assert leads() == [[other_id], [other_id], [lead_id]]
    crm.control.act("reassign_lead", lead_id=other_id, contact_id=second)
    assert leads() == [[], [other_id], [lead_id]]
    crm.control.act("merge_contacts", into=first, **{"from": second})
    assert leads() == [[other_id], [lead_id]]
    crm.control.act("delete_contact", contact_id=first)
    assert leads() == [[lead_id]]
    assert crm.lead(other_id)["_embedded"]["contacts"] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"index_leg": 1}, "index_leg"),
        ({"index_lag": "2"}, "number"),
        ({"index_lag": -1}, "negative"),
        ({"rps": 1.5}, "number"),
        ({"duplicate_control": 1}, "true or false"),
        ({"deleted_leads": "maybe"}, "one of flag, empty"),
        ({"revoked_tokens": "x"}, "list of strings"),
        ({"timezone": "Asia/Nowhere"}, "Asia/Nowhere"),
        ({"drop_field": "NONE"}, "NONE"),
        ({"drop_stage": 5}, "5"),
        ({"drop_stage": WON}, "142"),
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(
    crm: Crm, changes: dict[str, object], said: str
) -> None:
    before = crm.control.config()
    with pytest.raises(ControlError, match=said):
        crm.control.config(**changes)
    assert crm.control.config() == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/nonsense", None), ("POST", "/act", {"do": "dance"}), ("POST", "/seed", [1])],
)
def test_a_wrong_control_request_is_answered_with_a_sentence(
    crm: Crm, method: str, path: str, body: object
) -> None:
    answer = requests.request(method, f"{crm.url}/_sandbox{path}", json=body, timeout=10)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]


def test_planted_contacts_and_leads_have_the_given_past(crm: Crm) -> None:
    (contact_id,), (lead_id,) = crm.seed(
        contacts=[{"name": "a", "phones": ["1111111"], "created_at": 1000}],
        leads=[
            {
                "contact": 0,
                "status_id": WON,
                "created_at": 2000,
                "updated_at": 3000,
                "tags": ["t"],
                "fields": {"GCLID": "g"},
            }
        ],
    )
    contact, lead = crm.get(f"contacts/{contact_id}").json(), crm.lead(lead_id)
    assert (contact["created_at"], contact["updated_at"]) == (1000, 1000)
    assert (lead["created_at"], lead["updated_at"], lead["closed_at"]) == (2000, 3000, 3000)
    assert crm.control.state()["leads"][0]["fields"] == {"GCLID": "g"}


@pytest.mark.parametrize(
    "wish",
    [
        {"leads": [{"status_id": 1}]},
        {"leads": [{"contact": 3}]},
        {"leads": [{"contact_ids": [1]}]},
        {"leads": [{"fields": {"NONE": "x"}}]},
        {"contacts": [{"email": "a@b.kz"}]},
    ],
)
def test_what_cannot_be_planted_is_refused(crm: Crm, wish: dict[str, list[object]]) -> None:
    with pytest.raises(ControlError):
        crm.control.seed(**wish)  # type: ignore[arg-type]


def test_a_lead_is_closed_and_moved_by_a_manager(crm: Crm) -> None:
    _, (lead_id,) = crm.seed(leads=[{}])
    crm.control.act("close_lead", lead_id=lead_id)
    assert crm.lead(lead_id)["status_id"] == LOST
    crm.control.act("close_lead", lead_id=lead_id, status_id=WON)
    assert crm.lead(lead_id)["status_id"] == WON
    crm.control.act("move_lead", lead_id=lead_id, status_id=EXPRESS)
    assert crm.lead(lead_id)["closed_at"] is None
    with pytest.raises(ControlError, match="no stage"):
        crm.control.act("move_lead", lead_id=lead_id, status_id=1)


def test_a_lead_is_given_to_another_contact(crm: Crm) -> None:
    (old, new), (lead_id,) = crm.seed(
        contacts=[{"name": "a"}, {"name": "b"}], leads=[{"contact": 0}]
    )
    crm.control.act("reassign_lead", lead_id=lead_id, contact_id=new)
    assert [one["id"] for one in crm.lead(lead_id)["_embedded"]["contacts"]] == [new]
    embedded = crm.get(f"contacts/{old}", **{"with": "leads"}).json()["_embedded"]
    assert embedded["leads"] == []


def test_merged_contacts_share_leads_and_values_under_one_id(crm: Crm) -> None:
    (kept, gone), leads = crm.seed(
        contacts=[
            {"name": "a", "emails": ["a@b.kz"], "phones": ["1111111"]},
            {"name": "b", "emails": ["a@b.kz", "c@d.kz"]},
        ],
        leads=[{"contact": 0}, {"contact": 1}],
    )
    crm.control.act("merge_contacts", **{"into": kept, "from": gone})
    assert crm.get(f"contacts/{gone}").status_code == 204
    assert crm.contact_values(kept, "EMAIL") == ["a@b.kz", "c@d.kz"]
    assert crm.contact_values(kept, "PHONE") == ["1111111"]
    assert {one["id"]: one["contact_ids"] for one in crm.control.state()["leads"]} == {
        leads[0]: [kept],
        leads[1]: [kept],
    }
    assert crm.found("c@d.kz") == [kept]


def test_a_contact_is_edited_and_deleted_by_a_manager(crm: Crm) -> None:
    (contact_id,), (lead_id,) = crm.seed(
        contacts=[{"name": "a", "emails": ["a@b.kz"]}], leads=[{"contact": 0}]
    )
    crm.control.act("edit_contact", contact_id=contact_id, emails=["new@b.kz"], phones=["2222222"])
    assert crm.contact_values(contact_id, "EMAIL") == ["new@b.kz"]
    assert crm.found("new@b.kz") == [contact_id]
    assert crm.found("a@b.kz") == []
    crm.control.act("delete_contact", contact_id=contact_id)
    assert crm.get(f"contacts/{contact_id}").status_code == 204
    assert crm.lead(lead_id)["_embedded"]["contacts"] == []
    with pytest.raises(ControlError, match="no contact"):
        crm.control.act("edit_contact", contact_id=contact_id)


def people(crm: Crm) -> tuple[int, int, int]:
    found = crm.control.state()["people"]
    return found["count"], found["active_leads"], found["with_two_active_leads"]


def test_people_are_joined_by_email_phone_and_shared_leads(crm: Crm) -> None:
    crm.seed(
        contacts=[
            {"emails": ["A@b.kz"], "phones": ["+7 (777) 111-22-33"]},
            {"emails": ["a@B.kz"]},
            {"phones": ["87771112233"]},
            {"emails": ["other@b.kz"]},
        ],
        leads=[{"contact": 1}, {"contact": 2}, {"contact": 3}, {"contact": 3, "status_id": LOST}],
    )
    assert people(crm) == (2, 3, 1)
    (twice,) = crm.control.state()["people"]["duplicates"]
    assert len(twice["lead_ids"]) == 2
    assert len(twice["contact_ids"]) == 3


def test_active_leads_in_two_pipelines_are_no_duplicates(crm: Crm) -> None:
    crm.seed(
        contacts=[{"emails": ["a@b.kz"]}],
        leads=[{"contact": 0}, {"contact": 0, "pipeline_id": 3177730}],
    )
    assert people(crm) == (1, 2, 0)


def test_closed_and_deleted_leads_are_not_active(crm: Crm) -> None:
    _, leads = crm.seed(contacts=[{"name": "a"}], leads=[{"contact": 0} for _ in range(3)])
    assert people(crm) == (1, 3, 1)
    crm.control.act("delete_lead", lead_id=leads[0])
    crm.control.act("close_lead", lead_id=leads[1])
    assert people(crm) == (1, 1, 0)


def test_ignored_identities_join_nobody(crm: Crm) -> None:
    crm.seed(
        contacts=[{"emails": ["info@b.kz"]}, {"emails": ["info@b.kz"]}],
        leads=[{"contact": 0}, {"contact": 1}],
    )
    assert people(crm) == (1, 2, 1)
    crm.control.config(ignored_identities=["INFO@b.kz"])
    assert people(crm) == (2, 2, 0)


def test_writers_at_the_same_time_get_different_ids(crm: Crm) -> None:
    ids: list[int] = []

    def write() -> None:
        session = requests.Session()
        session.headers["Authorization"] = "Bearer x"
        for _ in range(10):
            rows = session.post(f"{crm.url}/api/v4/leads/complex", json=[{}], timeout=10).json()
            ids.append(rows[0]["id"])
        session.close()

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(ids) == len(set(ids)) == len(crm.control.state()["leads"]) == 80
