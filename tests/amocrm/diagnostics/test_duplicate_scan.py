"""``manage.py find_duplicate_leads``: walks the CRM, lists people, changes nothing."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from amocrm import conf, ledger
from amocrm.api import whole_list
from amocrm.api.client import Client
from amocrm.api.paging import Page
from amocrm.api.schemas import Lead
from amocrm.identity import identities
from amocrm.models import DuplicateLead, Person
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import Remembered, request_of

pytestmark = pytest.mark.django_db(transaction=True)

STAGE = 32392159
SECOND_PIPELINE = 3177730


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_list, "RETRY_SECONDS", 0.05)


def run(*options: str) -> tuple[int, str, str]:
    """The exit status, what was shown, and the progress."""
    out, progress = io.StringIO(), io.StringIO()
    status = 0
    try:
        call_command("find_duplicate_leads", *options, stdout=out, stderr=progress)
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, out.getvalue(), progress.getvalue()


def people(expected_status: int = 1) -> list[dict[str, Any]]:
    status, shown, _ = run("--json")
    body = json.loads(shown)
    assert status == expected_status
    assert body["count"] == len(body["people"])
    found: list[dict[str, Any]] = body["people"]
    return found


def plant(sandbox: RunningSandbox, *contacts: dict[str, Any], leads: list[list[int]]) -> list[int]:
    """Contacts, and leads on them by their places; the ids of the leads."""
    ids = sandbox.control.seed(contacts=[{"name": "Anna", **one} for one in contacts])["contacts"]
    rows = [{"contact_ids": [ids[place] for place in on], "status_id": STAGE} for on in leads]
    leads_made: list[int] = sandbox.control.seed(leads=rows)["leads"]
    return leads_made


def test_nobody_is_found_in_an_empty_account(sandbox: RunningSandbox) -> None:
    status, shown, _ = run()
    assert status == 0
    assert shown.strip().endswith("0 (активных сделок всего: 0)")


def test_what_this_service_made_has_no_duplicates(sandbox: RunningSandbox) -> None:
    for number in range(3):
        upsert_lead(request_of(f"p{number}@b.kz", f"+7777000000{number}"), Remembered())
    assert people(0) == []


def test_two_leads_of_one_contact_are_found_with_links(sandbox: RunningSandbox) -> None:
    leads = plant(sandbox, {"emails": ["a@b.kz"], "phones": ["8 777 000 00 01"]}, leads=[[0], [0]])
    (person,) = people()
    assert {lead["id"] for lead in person["leads"]} == set(leads)
    assert person["leads"][0]["url"] == f"{sandbox.url}/leads/detail/{person['leads'][0]['id']}"
    assert (person["emails"], person["phones"]) == (["a@b.kz"], ["+77770000001"])
    status, shown, _ = run()
    assert status == 1
    assert f"{sandbox.url}/leads/detail/{leads[0]}" in shown
    assert shown.strip().splitlines()[-1].startswith("Людей, у которых больше одной")


def test_contacts_that_share_a_spelling_are_one_person(sandbox: RunningSandbox) -> None:
    plant(
        sandbox,
        {"emails": ["A@b.kz"]},
        {"emails": ["a@B.kz"], "phones": ["8 (777) 000-00-01"]},
        {"phones": ["+77770000001"]},
        leads=[[0], [1], [2]],
    )
    (person,) = people()
    assert len(person["leads"]) == 3
    assert len(person["contacts"]) == 3


def test_strangers_are_not_one_person(sandbox: RunningSandbox) -> None:
    plant(
        sandbox,
        {"emails": ["anna@b.kz"], "phones": ["+77770000001"]},
        {"emails": ["anna@c.kz"], "phones": ["+77010000001"]},
        {"emails": []},
        {"emails": []},
        leads=[[0], [1], [2], [3]],
    )
    assert people(0) == []


def test_two_people_on_one_lead_are_still_two(sandbox: RunningSandbox) -> None:
    plant(sandbox, {"emails": ["a@b.kz"]}, {"emails": ["c@d.kz"]}, leads=[[0, 1], [1]])
    (person,) = people()
    assert person["emails"] == ["c@d.kz"]


def test_only_active_leads_of_the_configured_pipeline_count(sandbox: RunningSandbox) -> None:
    leads = plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0]] * 5)
    sandbox.control.act("close_lead", lead_id=leads[0], status_id=142)
    sandbox.control.act("close_lead", lead_id=leads[1], status_id=143)
    sandbox.control.act("delete_lead", lead_id=leads[2])
    sandbox.control.act(
        "move_lead", lead_id=leads[3], pipeline_id=SECOND_PIPELINE, status_id=32392259
    )
    assert people(0) == []


def test_ignored_identities_make_nobody_one_person(sandbox: RunningSandbox, settings: Any) -> None:
    settings.IGNORED_IDENTITIES = ["info@school.kz"]
    plant(sandbox, {"emails": ["info@school.kz"]}, {"emails": ["INFO@school.kz"]}, leads=[[0], [1]])
    assert people(0) == []


def test_what_the_ledger_knows_is_one_person(sandbox: RunningSandbox) -> None:
    plant(sandbox, {"emails": ["a@b.kz"]}, {"phones": ["+77770000001"]}, leads=[[0], [1]])
    assert people(0) == []
    both = identities(emails=["a@b.kz"], phones=["+77770000001"], region="KZ")
    ledger.resolve("another.amocrm.ru", both)
    assert people(0) == []
    ledger.resolve(conf.current().account, both)
    (person,) = people()
    assert len(person["leads"]) == 2


def test_many_pages_are_walked_with_progress(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(
        sandbox,
        *({"emails": [f"p{number}@b.kz"]} for number in range(600)),
        leads=[[number] for number in range(600)] + [[0]],
    )
    status, shown, progress = run("--json")
    assert status == 1
    assert json.loads(shown)["count"] == 1
    assert "601" in progress
    asked = [one["path"] for one in sandbox.control.requests() if one["method"] == "GET"]
    assert (asked.count("/api/v4/leads"), asked.count("/api/v4/contacts")) == (4, 4)


def test_a_list_that_ignores_the_page_does_not_go_on_for_ever(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0], [0]])
    real = Client.newest_leads
    monkeypatch.setattr(Client, "newest_leads", lambda self, page: real(self, 1))
    assert len(people()) == 1
    asked = [one["path"] for one in sandbox.control.requests()]
    assert asked.count("/api/v4/leads") == 2


def test_a_lead_that_the_shifting_list_left_out_is_asked_for(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One on the first page is deleted before the second is read: the list moves up by one."""
    closed = [{"contact": 1, "status_id": 143}] * 249
    ids = sandbox.control.seed(
        contacts=[{"emails": ["a@b.kz"]}, {"emails": ["z@b.kz"]}],
        leads=[{"contact": 0}, *closed, {"contact": 0}],
    )["leads"]
    real = Client.newest_leads

    def newest(self: Client, page: int) -> Page[Lead]:
        if page == 2:
            sandbox.control.act("delete_lead", lead_id=ids[100])
        return real(self, page)

    monkeypatch.setattr(Client, "newest_leads", newest)
    (found,) = people()
    assert {lead["id"] for lead in found["leads"]} == {ids[0], ids[-1]}


def test_nothing_is_changed_in_the_crm(sandbox: RunningSandbox) -> None:
    plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0], [0]])
    before = sandbox.control.state()
    run()
    after = sandbox.control.state()
    for part in ("contacts", "leads", "notes"):
        assert after[part] == before[part]
    assert {one["method"] for one in sandbox.control.requests()} == {"GET"}
    assert Person.objects.count() == 0


def test_trouble_that_passes_is_waited_out(sandbox: RunningSandbox) -> None:
    plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0], [0]])
    sandbox.control.fault("answer", path="/api/v4/leads", status=502, body="<html>", times=2)
    sandbox.control.fault("lose_answer", path="/api/v4/contacts")
    assert len(people()) == 1


def test_trouble_that_does_not_pass_is_not_taken_for_nobody(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_list, "MAX_ATTEMPTS", 2)
    sandbox.control.fault("answer", path="/api/v4/leads", status=502, body="<html>", times=-1)
    with pytest.raises(CommandError) as raised:
        run()
    assert raised.value.returncode == 2


def test_a_pipeline_that_is_not_there_is_not_taken_for_nobody(
    sandbox: RunningSandbox, settings: Any
) -> None:
    settings.AMOCRM_PIPELINE_ID = 999
    with pytest.raises(CommandError) as raised:
        run()
    assert raised.value.returncode == 2


def test_known_duplicates_that_were_closed_meanwhile_are_marked_so(sandbox: RunningSandbox) -> None:
    leads = plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0], [0]])
    named = identities(emails=["a@b.kz"], phones=[], region="KZ")
    person = ledger.resolve(conf.current().account, named)
    other = ledger.resolve("other.amocrm.ru", named)
    for person_id, lead_id, state in (
        (person.id, leads[0], "active"),
        (person.id, leads[1], "active"),
        (person.id, 987654, "active"),
        (person.id, 987655, "closing"),
        (other.id, 987654, "active"),
    ):
        DuplicateLead.objects.create(person_id=person_id, lead_id=lead_id, state=state)
    sandbox.control.act("close_lead", lead_id=leads[1])
    run()
    rows = DuplicateLead.objects.values_list("person_id", "lead_id", "state")
    assert set(rows) == {
        (person.id, leads[0], "active"),
        (person.id, leads[1], "closed"),
        (person.id, 987654, "closed"),
        (person.id, 987655, "closing"),
        (other.id, 987654, "active"),
    }
