"""Submissions against the real sandbox, and what people do to the CRM in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from amocrm import ledger
from amocrm.api.client import Client
from amocrm.api.paging import PAGE_SIZE, Page
from amocrm.api.schemas import Contact
from amocrm.counters import totals
from amocrm.errors import ComeBack, NobodyToIdentify, OutcomeUnknown, Rejected, StillSettling
from amocrm.identity import identities
from amocrm.ledger import decisions
from amocrm.models import DuplicateLead, Identity, MergeProposal, Person
from amocrm.sandbox.account.seed import CURRENT_USER_ID, SALESPERSON_ID
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import EMAIL, PHONE, Remembered, request_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

OTHER_PHONE = "+77012223344"
OTHER_EMAIL = "anna@mail.example"
FIRST_STAGE, PROFTEST, KASPI, WON = 32392159, 32392165, 32392171, 142


def delivered(email: str = EMAIL, phone: str = PHONE, **changes: Any) -> Any:
    """The result of one submission, come back to as often as it asks within reason."""
    request, progress = request_of(email, phone, **changes), Remembered()
    for _ in range(5):
        try:
            return upsert_lead(request, progress)
        except ComeBack:
            continue
    return upsert_lead(request, progress)


def active_leads(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return [lead for lead in sandbox.control.state()["leads"] if lead["is_active"]]


# Creating and updating -----------------------------------------------------------------------


def test_a_new_person_gets_one_lead_with_a_contact_and_a_note(sandbox: RunningSandbox) -> None:
    progress = Remembered()
    request = request_of()

    result = upsert_lead(request, progress)

    assert result.action == "created"
    assert (progress.lead_id, progress.action) == (result.lead_id, "created")
    state = sandbox.control.state()
    (lead,), (contact,), (note,) = state["leads"], state["contacts"], state["notes"]
    assert (lead["status_id"], lead["tags"]) == (PROFTEST, ["профтест"])
    assert lead["fields"] == {"UTM_SOURCE": "instagram"}
    assert (contact["emails"], contact["phones"]) == ([EMAIL], [PHONE])
    assert request.reference in note["text"]
    person = Person.objects.get()
    assert person.lock_name == "amocrm:lead:test@onai.academy:77771112233"
    assert person.lead_id == result.lead_id
    assert person.creating_since is None
    assert Identity.objects.count() == 3


def test_the_same_person_in_another_spelling_updates_the_lead(sandbox: RunningSandbox) -> None:
    first = delivered()

    second = delivered(" TEST@Onai.Academy", "8 (777) 111-22-33")

    assert (second.lead_id, second.action) == (first.lead_id, "updated")
    state = sandbox.control.state()
    assert len(state["leads"]) == len(state["contacts"]) == 1
    assert len(state["notes"]) == 2


def test_a_lead_that_the_search_does_not_show_yet_is_known_all_the_same(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.config(index_lag=3600)
    first = delivered()

    assert delivered().lead_id == first.lead_id
    assert len(active_leads(sandbox)) == 1


def test_a_lead_made_before_this_service_is_updated(sandbox: RunningSandbox) -> None:
    planted = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": ["Test@Onai.Academy"], "phones": []}],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}],
    )

    result = delivered()

    assert (result.lead_id, result.action) == (planted["leads"][0], "updated")
    (contact,) = sandbox.control.state()["contacts"]
    assert contact["phones"] == [PHONE]


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"phones": ["79161234567"]}, {"phone": "+7 916 123-45-67"}),
        ({"phones": ["87771112233, 87012223344 мама"]}, {"phone": "+77012223344"}),
        ({"emails": ["anna@пример.рф"]}, {"email": "anna@пример.рф"}),
        ({"emails": ["other@x.kz; anna@x.kz"]}, {"email": "anna@x.kz"}),
    ],
    ids=["foreign number without its plus", "two in one field", "IDN", "two e-mails"],
)
def test_a_contact_is_known_however_somebody_typed_it(
    sandbox: RunningSandbox, typed: dict[str, list[str]], named: dict[str, str]
) -> None:
    sandbox.control.config(strangers=False)
    (lead_id,) = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [], "phones": [], **typed}],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}],
    )["leads"]
    result = delivered(**{"email": "", "phone": "", **named})
    assert (result.lead_id, result.action) == (lead_id, "updated")
    assert len(active_leads(sandbox)) == 1


def test_a_contact_without_an_active_lead_gets_the_new_one(sandbox: RunningSandbox) -> None:
    planted = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [], "phones": ["8 777 111 22 33"]}],
        leads=[{"contact": 0, "status_id": 143}],
    )

    result = delivered()

    assert result.action == "created"
    (lead,) = active_leads(sandbox)
    assert lead["contact_ids"] == planted["contacts"]
    (contact,) = sandbox.control.state()["contacts"]
    assert contact["emails"] == [EMAIL]
    assert contact["phones"] == ["8 777 111 22 33"]


def test_strangers_whom_the_search_returns_stay_what_they_were(sandbox: RunningSandbox) -> None:
    sandbox.control.seed(
        contacts=[
            {"name": "Чужой", "emails": ["test@onai.academy.example"], "phones": []},
            {"name": "Чужая", "emails": ["test@other.example"], "phones": ["+7 999 111-22-33"]},
            {"name": "test@onai.academy", "emails": [], "phones": ["+1 777 111 2233"]},
        ],
        leads=[{"contact": place, "status_id": FIRST_STAGE} for place in range(3)],
    )
    before = sandbox.control.state()

    delivered()

    after = sandbox.control.state()
    strangers = {one["id"] for one in before["contacts"]}
    assert [one for one in after["contacts"] if one["id"] in strangers] == before["contacts"]
    theirs = {one["id"] for one in before["leads"]}
    assert [one for one in after["leads"] if one["id"] in theirs] == before["leads"]
    assert len(after["leads"]) == 4


def test_nobody_to_identify_is_for_a_person_to_look_at(
    sandbox: RunningSandbox, settings: Any
) -> None:
    settings.IGNORED_IDENTITIES = (EMAIL, "8 777 111 22 33")

    with pytest.raises(NobodyToIdentify):
        upsert_lead(request_of(), Remembered())

    assert sandbox.control.state()["leads"] == []
    assert not Person.objects.exists()


def test_a_field_deleted_from_the_account_is_left_out_and_the_others_stay(
    sandbox: RunningSandbox,
) -> None:
    first = delivered(utm={"utm_source": "instagram"})
    sandbox.control.config(drop_field="FBCLID")

    second = delivered(OTHER_EMAIL, OTHER_PHONE, utm={"fbclid": "1", "utm_medium": "cpc"})
    third = delivered(utm={"fbclid": "1", "utm_term": "design"})

    assert third.lead_id == first.lead_id
    leads = {lead["id"]: lead["fields"] for lead in active_leads(sandbox)}
    assert leads[second.lead_id] == {"UTM_MEDIUM": "cpc"}
    assert leads[third.lead_id] == {"UTM_SOURCE": "instagram", "UTM_TERM": "design"}


def responsible(sandbox: RunningSandbox, lead_id: int) -> tuple[int, int]:
    """Whose the lead is, and whose its contact."""
    headers = {"Authorization": "Bearer sandbox-token"}
    lead, contact = (
        requests.get(f"{sandbox.url}/api/v4/{path}", headers=headers, timeout=5).json()
        for path in (f"leads/{lead_id}", f"contacts/{sandbox.control.state()['contacts'][0]['id']}")
    )
    return lead["responsible_user_id"], contact["responsible_user_id"]


def test_a_new_lead_and_its_contact_are_whose_the_form_says(sandbox: RunningSandbox) -> None:
    made = delivered(responsible_user=SALESPERSON_ID)
    assert responsible(sandbox, made.lead_id) == (SALESPERSON_ID, SALESPERSON_ID)
    delivered(responsible_user=CURRENT_USER_ID)  # what a manager decided since then stays
    assert responsible(sandbox, made.lead_id) == (SALESPERSON_ID, SALESPERSON_ID)


def test_whoever_left_the_account_keeps_no_lead_from_arriving(sandbox: RunningSandbox) -> None:
    made = delivered(responsible_user=1)
    assert responsible(sandbox, made.lead_id) == (CURRENT_USER_ID, CURRENT_USER_ID)


# One person, however named -------------------------------------------------------------------


def test_what_a_contact_carries_beyond_the_search_names_the_person_too(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [EMAIL], "phones": [OTHER_PHONE]}],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}],
    )
    first = delivered(EMAIL, "")

    assert delivered("", OTHER_PHONE).lead_id == first.lead_id
    assert len(active_leads(sandbox)) == 1


@pytest.mark.parametrize("newer", [0, 1], ids=["the first is newer", "the second is newer"])
def test_of_two_contacts_of_one_person_the_most_recently_updated_lead_stays(
    sandbox: RunningSandbox, newer: int
) -> None:
    planted = sandbox.control.seed(
        contacts=[
            {"name": "Анна", "emails": [EMAIL], "phones": [OTHER_PHONE]},
            {"name": "Анна", "emails": [], "phones": [OTHER_PHONE, PHONE]},
        ],
        leads=[
            {"contact": 0, "status_id": FIRST_STAGE, "updated_at": 1700000000 + 10 * (newer == 0)},
            {"contact": 1, "status_id": FIRST_STAGE, "updated_at": 1700000000 + 10 * (newer == 1)},
        ],
    )

    result = delivered()

    assert result.lead_id == planted["leads"][newer]
    other = planted["leads"][1 - newer]
    assert DuplicateLead.objects.get().lead_id == other
    (note,) = [one for one in sandbox.control.state()["notes"] if "другие" in one["text"]]
    assert str(other) in note["text"]
    assert totals()["two_contacts"] >= 1
    assert totals()["duplicate_found"] == 1


def test_a_ledger_filled_by_the_sandbox_does_not_speak_about_another_account(
    sandbox: RunningSandbox, settings: Any
) -> None:
    named = identities(emails=[EMAIL], phones=[PHONE], region="KZ")
    elsewhere = ledger.record(ledger.resolve("another.amocrm.ru", named), 999999)

    result = delivered()

    assert result.action == "created"
    assert ledger.read(elsewhere.id) == elsewhere


# What managers do in between -----------------------------------------------------------------


def test_a_closed_lead_is_followed_by_a_new_one(sandbox: RunningSandbox) -> None:
    first = delivered()
    sandbox.control.act("close_lead", lead_id=first.lead_id)

    second = delivered()

    assert second.action == "created"
    assert second.lead_id != first.lead_id
    assert len(active_leads(sandbox)) == 1


def test_a_lead_deleted_as_a_flag_is_followed_by_a_new_one(sandbox: RunningSandbox) -> None:
    first = delivered()
    sandbox.control.act("delete_lead", lead_id=first.lead_id)

    assert delivered().action == "created"
    assert len(active_leads(sandbox)) == 1


def test_a_lead_that_answers_204_is_waited_for_before_it_is_given_up(
    sandbox: RunningSandbox,
) -> None:
    first = delivered()
    sandbox.control.config(deleted_leads="empty")
    sandbox.control.act("delete_lead", lead_id=first.lead_id)

    with pytest.raises(StillSettling):
        upsert_lead(request_of(), Remembered())
    assert active_leads(sandbox) == []

    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert delivered().action == "created"
    assert len(active_leads(sandbox)) == 1


def test_a_lead_given_to_somebody_else_is_theirs(sandbox: RunningSandbox) -> None:
    first = delivered()
    planted = sandbox.control.seed(
        contacts=[{"name": "Борис", "emails": ["boris@x.kz"], "phones": []}]
    )
    sandbox.control.act("reassign_lead", lead_id=first.lead_id, contact_id=planted["contacts"][0])

    second = delivered()

    assert second.action == "created"
    assert second.lead_id != first.lead_id


def test_a_lead_given_to_somebody_else_between_two_tries_is_left_alone(
    sandbox: RunningSandbox,
) -> None:
    planted = sandbox.control.seed(
        contacts=[{"name": "Борис", "emails": ["boris@x.kz"], "phones": []}],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}],
    )
    before = sandbox.control.state()

    result = upsert_lead(request_of(), Remembered(planted["leads"][0], "created"))

    assert result.lead_id != planted["leads"][0]
    after = sandbox.control.state()
    assert before["contacts"][0] in after["contacts"]
    assert before["leads"][0] in after["leads"]


def test_a_contact_merged_away_takes_the_person_along(sandbox: RunningSandbox) -> None:
    first = delivered()
    (contact,) = sandbox.control.state()["contacts"]
    (kept,) = sandbox.control.seed(contacts=[{"name": "Анна", "emails": [EMAIL], "phones": []}])[
        "contacts"
    ]
    sandbox.control.act("merge_contacts", **{"into": kept, "from": contact["id"]})

    second = delivered()

    assert (second.lead_id, second.action) == (first.lead_id, "updated")
    assert Identity.objects.filter(kind="contact", value=str(kept)).exists()


def test_a_lead_moved_on_by_a_manager_is_not_moved_back(sandbox: RunningSandbox) -> None:
    first = delivered()
    sandbox.control.act("move_lead", lead_id=first.lead_id, status_id=KASPI)

    delivered(tags=("профтест", "второй"), utm={"utm_source": "google", "utm_medium": "cpc"})

    (lead,) = active_leads(sandbox)
    assert lead["status_id"] == KASPI
    assert lead["tags"] == ["профтест", "второй"]
    assert lead["fields"] == {"UTM_SOURCE": "instagram", "UTM_MEDIUM": "cpc"}


def test_a_phone_that_a_manager_removed_does_not_come_back(sandbox: RunningSandbox) -> None:
    delivered(EMAIL, PHONE)
    (contact,) = sandbox.control.state()["contacts"]
    sandbox.control.act("edit_contact", contact_id=contact["id"], phones=[OTHER_PHONE])

    delivered(EMAIL, OTHER_PHONE)

    (contact,) = sandbox.control.state()["contacts"]
    assert contact["phones"] == [OTHER_PHONE]


def test_a_contact_that_cannot_be_completed_costs_neither_lead_nor_note(
    sandbox: RunningSandbox,
) -> None:
    first = delivered(EMAIL, PHONE)
    invalid = {"validation-errors": [{"errors": [{"path": "custom_fields_values.0"}]}]}
    rule = sandbox.control.fault(
        "answer", method="PATCH", path=r"/api/v4/contacts/\d+", status=400, body=invalid
    )

    second = delivered(OTHER_EMAIL, PHONE)

    assert sandbox.control.hits(rule) == 1
    assert (second.lead_id, second.action) == (first.lead_id, "updated")
    assert len(sandbox.control.state()["notes"]) == 2


def test_a_contact_deleted_just_before_its_lead_is_made_is_forgotten(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (contact_id,) = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [EMAIL], "phones": [PHONE]}]
    )["contacts"]
    real = ledger.claim

    def delete_and_claim(person: ledger.PersonState, reference: str) -> ledger.PersonState:
        monkeypatch.setattr(ledger, "claim", real)
        sandbox.control.act("delete_contact", contact_id=contact_id)
        return real(person, reference)

    monkeypatch.setattr(ledger, "claim", delete_and_claim)
    with pytest.raises(ComeBack, match="deleted"):
        upsert_lead(request_of(), Remembered())
    assert Person.objects.get().creating_since is None

    assert delivered().action == "created"
    assert len(active_leads(sandbox)) == 1


def test_a_contact_that_is_there_and_refused_all_the_same_fails_the_try(
    sandbox: RunningSandbox,
) -> None:
    """Were it forgotten, it would be found and refused again, for ever."""
    sandbox.control.seed(contacts=[{"name": "Анна", "emails": [EMAIL], "phones": [PHONE]}])
    refused = {"path": "0._embedded.contacts.0.id", "code": "NotSupportedChoice"}
    sandbox.control.fault(
        "answer",
        method="POST",
        path="/api/v4/leads/complex",
        status=400,
        body={"validation-errors": [{"request_id": "0", "errors": [refused]}]},
    )
    with pytest.raises(Rejected, match="NotSupportedChoice"):
        upsert_lead(request_of(), Remembered())
    assert Person.objects.get().creating_since is None


def test_a_stranger_on_the_lead_is_left_alone(sandbox: RunningSandbox) -> None:
    """A manager has made somebody else the main contact of their lead."""
    boris, anna = sandbox.control.seed(
        contacts=[
            {"name": "Борис", "emails": ["boris@x.kz"], "phones": []},
            {"name": "Анна", "emails": [EMAIL], "phones": []},
        ]
    )["contacts"]
    sandbox.control.seed(leads=[{"contact_ids": [boris, anna], "status_id": FIRST_STAGE}])
    before = contact_of(sandbox, boris)

    delivered(EMAIL, PHONE)
    delivered("boris@x.kz", "")

    assert contact_of(sandbox, boris) == before
    assert contact_of(sandbox, anna)["phones"] == [PHONE]
    assert Person.objects.filter(merged_into=None).count() == 2


def contact_of(sandbox: RunningSandbox, contact_id: int) -> dict[str, Any]:
    (found,) = [one for one in sandbox.control.state()["contacts"] if one["id"] == contact_id]
    return dict(found)


def test_what_a_manager_types_while_we_search_is_kept(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(EMAIL, "")
    (contact,) = sandbox.control.state()["contacts"]
    real = Client.search_contacts

    def search(self: Client, query: str, page: int) -> Page[Contact]:
        found = real(self, query, page)
        sandbox.control.act("edit_contact", contact_id=contact["id"], phones=[OTHER_PHONE])
        return found

    monkeypatch.setattr(Client, "search_contacts", search)
    delivered(EMAIL, PHONE)

    assert contact_of(sandbox, contact["id"])["phones"] == [OTHER_PHONE, PHONE]


def test_an_identity_that_is_ignored_by_now_is_not_appended(
    sandbox: RunningSandbox, settings: Any
) -> None:
    delivered(EMAIL, PHONE)
    settings.IGNORED_IDENTITIES = (PHONE,)
    delivered(EMAIL, PHONE)
    assert sandbox.control.state()["contacts"][0]["phones"] == [PHONE]


def test_a_lead_whose_contact_was_taken_off_is_left_and_counted(sandbox: RunningSandbox) -> None:
    first = delivered()
    (contact,) = sandbox.control.state()["contacts"]
    sandbox.control.act("delete_contact", contact_id=contact["id"])

    assert delivered().lead_id != first.lead_id
    assert totals()["lead_left"] == 1


def test_the_note_on_a_lead_names_the_other_one(sandbox: RunningSandbox) -> None:
    """Two people with a lead each are confirmed to be one while a note is still to be written."""
    other = delivered("", PHONE)
    request, progress = request_of(EMAIL, ""), Remembered()
    sandbox.control.fault("answer", method="POST", path=r"/api/v4/leads/\d+/notes", status=502)
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    delivered(EMAIL, PHONE)
    decisions.confirm(MergeProposal.objects.get().pk, by="olga")
    sandbox.control.advance(10)
    sandbox.control.act("move_lead", lead_id=other.lead_id, status_id=PROFTEST)
    delivered(EMAIL, PHONE)

    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        upsert_lead(request, progress)

    notes = [n for n in sandbox.control.state()["notes"] if request.reference in n["text"]]
    (about_others,) = [note for note in notes if "другие активные сделки" in note["text"]]
    assert about_others["entity_id"] == progress.lead_id != other.lead_id
    assert f"/leads/detail/{other.lead_id}" in about_others["text"]
    assert f"/leads/detail/{progress.lead_id}" not in about_others["text"]


def test_the_note_names_no_lead_that_was_closed_meanwhile(sandbox: RunningSandbox) -> None:
    """The recorded lead is another one by now; a manager has won it and opened the first."""
    request, progress = request_of(), Remembered()
    sandbox.control.fault("answer", method="POST", path=r"/api/v4/leads/\d+/notes", status=502)
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    sandbox.control.act("move_lead", lead_id=progress.lead_id, status_id=WON)
    recorded = delivered()
    assert recorded.lead_id != progress.lead_id
    sandbox.control.act("move_lead", lead_id=recorded.lead_id, status_id=WON)
    sandbox.control.act("move_lead", lead_id=progress.lead_id, status_id=PROFTEST)

    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        upsert_lead(request, progress)

    texts = [n["text"] for n in sandbox.control.state()["notes"] if request.reference in n["text"]]
    assert texts
    assert f"/leads/detail/{recorded.lead_id}" not in "".join(texts)


# Lost answers ----------------------------------------------------------------------------------


def test_a_lead_whose_answer_was_lost_is_adopted(sandbox: RunningSandbox) -> None:
    sandbox.control.config(index_lag=3600)
    sandbox.control.fault("lose_answer", method="POST", path="/api/v4/leads/complex")
    request, progress = request_of(), Remembered()

    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    assert Person.objects.get().creating_since is not None

    result = upsert_lead(request, progress)

    (lead,) = active_leads(sandbox)
    assert (result.lead_id, result.action) == (lead["id"], "created")
    assert totals()["adopted"] == 1


def imported(sandbox: RunningSandbox, many: int, age: timedelta) -> None:
    """Another integration brings contacts, and says when they were made."""
    made_at = int((timezone.now() - age).timestamp())
    rows = [{"name": f"Import {number}", "created_at": made_at} for number in range(many)]
    for start in range(0, many, 200):
        requests.post(
            f"{sandbox.url}/api/v4/contacts",
            json=rows[start : start + 200],
            headers={"Authorization": "Bearer any"},
            timeout=30,
        ).raise_for_status()


@pytest.mark.parametrize(
    ("many", "age"),
    [(1, timedelta(days=400)), (2600, timedelta())],
    ids=["one that says it is old", "more than ten pages"],
)
def test_an_import_does_not_hide_the_lead_whose_answer_was_lost(
    sandbox: RunningSandbox, many: int, age: timedelta
) -> None:
    sandbox.control.config(index_lag=3600)
    sandbox.control.fault("lose_answer", method="POST", path="/api/v4/leads/complex")
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    imported(sandbox, many, age)

    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert upsert_lead(request, progress).action == "created"
    assert len(active_leads(sandbox)) == 1


def test_a_post_that_was_never_carried_out_is_made_again_only_after_settling(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.fault("reset", method="POST", path="/api/v4/leads/complex")
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)

    with pytest.raises(StillSettling):
        upsert_lead(request, progress)
    assert active_leads(sandbox) == []

    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert upsert_lead(request, progress).action == "created"
    assert len(active_leads(sandbox)) == 1
    assert totals()["released"] == 1


def test_a_note_whose_answer_was_lost_is_not_written_twice(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("lose_answer", method="POST", path=r"/api/v4/leads/\d+/notes")
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)

    with pytest.raises(StillSettling):
        upsert_lead(request, progress)
    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        result = upsert_lead(request, progress)

    assert result.action == "created"
    assert len(sandbox.control.state()["notes"]) == 1


def test_the_note_names_all_contacts_of_somebody_with_several(sandbox: RunningSandbox) -> None:
    planted = sandbox.control.seed(
        contacts=[
            {"name": "Анна", "emails": [EMAIL]},
            {"name": "Аня", "emails": [EMAIL], "phones": [PHONE]},
        ]
    )

    delivered()

    notes = [note["text"] for note in sandbox.control.state()["notes"]]
    (about_contacts,) = [text for text in notes if "несколько контактов" in text]
    for contact_id in planted["contacts"]:
        assert f"/contacts/detail/{contact_id}" in about_contacts


def test_the_note_names_no_contacts_of_somebody_with_one(sandbox: RunningSandbox) -> None:
    delivered()
    (note,) = sandbox.control.state()["notes"]
    assert "контакт" not in note["text"]


def asked_for(sandbox: RunningSandbox, deliver: Callable[[], object]) -> list[str]:
    """What a delivery asks of the CRM."""
    before = len(sandbox.control.requests())
    deliver()
    return [f"{one['method']} {one['path']}" for one in sandbox.control.requests()[before:]]


def test_a_plain_repeat_costs_two_requests(sandbox: RunningSandbox) -> None:
    lead_id = delivered().lead_id

    assert asked_for(sandbox, delivered) == [
        f"GET /api/v4/leads/{lead_id}",
        f"POST /api/v4/leads/{lead_id}/notes",
    ]


def test_a_repeat_of_somebody_whom_the_crm_knew_costs_two_requests(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [EMAIL], "phones": [PHONE]}], leads=[{"contact": 0}]
    )
    delivered()

    assert len(asked_for(sandbox, delivered)) == 2


def test_what_is_new_is_appended_once_and_then_not_asked_for(sandbox: RunningSandbox) -> None:
    delivered()
    delivered(EMAIL, OTHER_PHONE)
    (contact,) = sandbox.control.state()["contacts"]
    assert contact["phones"] == [PHONE, OTHER_PHONE]

    assert len(asked_for(sandbox, lambda: delivered(EMAIL, OTHER_PHONE))) == 2


def test_a_contact_that_only_hides_is_not_forgotten(sandbox: RunningSandbox) -> None:
    """GET was seen to answer 204 for a contact that the list shows."""
    sandbox.control.config(index_lag=3600)  # the search does not show it either
    first = delivered()
    sandbox.control.act("close_lead", lead_id=first.lead_id)
    sandbox.control.fault(
        "answer", method="GET", path=r"/api/v4/contacts/\d+", times=-1, status=204
    )

    delivered()

    assert len(sandbox.control.state()["contacts"]) == 1
    assert Identity.objects.filter(kind="contact").count() == 1


@pytest.mark.parametrize("filters", [True, False])
def test_a_contact_that_is_gone_is_forgotten_where_that_is_sure(
    sandbox: RunningSandbox, filters: bool
) -> None:
    """Without filters the list by id is a page of everything."""
    (contact_id,) = sandbox.control.seed(contacts=[{"name": "Анна", "emails": [EMAIL]}])["contacts"]
    sandbox.control.seed(contacts=[{"name": "Кто-то"}] * PAGE_SIZE)
    sandbox.control.config(is_api_filter_enabled=filters)
    first = delivered()
    sandbox.control.act("close_lead", lead_id=first.lead_id)
    sandbox.control.act("delete_contact", contact_id=contact_id)

    second = delivered()

    assert second.action == "created"
    known = Identity.objects.filter(kind="contact", value=str(contact_id)).exists()
    assert known is not filters


def test_what_a_lost_contact_carried_is_looked_for_again(sandbox: RunningSandbox) -> None:
    delivered()
    (contact,) = sandbox.control.state()["contacts"]
    sandbox.control.act("delete_contact", contact_id=contact["id"])
    delivered()
    (person,) = Person.objects.all()
    carried = Identity.objects.filter(person=person, on_contact=True)
    # Those of the new contact, which the second lead was made on.
    assert set(carried.values_list("kind", flat=True)) == {"email", "phone"}
    known = ledger.read(person.pk)
    (contact_id,) = known.contacts

    forgotten = ledger.forget_contact(known, contact_id)

    assert forgotten.on_contact == frozenset()
    assert not Identity.objects.filter(person=person, on_contact=True).exists()


def test_the_crm_merging_by_itself_counts_as_an_update(sandbox: RunningSandbox) -> None:
    # Before anybody is planted: what is there when the lag changes has been indexed.
    sandbox.control.config(index_lag=3600, duplicate_control=True)
    planted = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [EMAIL], "phones": [PHONE], "indexed": False}],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}],
    )

    result = delivered()

    assert [one["path"] for one in sandbox.control.requests()].count("/api/v4/leads/complex") == 1

    assert (result.lead_id, result.action) == (planted["leads"][0], "updated")
    assert Identity.objects.filter(kind="contact", value=str(planted["contacts"][0])).exists()


# Without Redis -----------------------------------------------------------------------------------


def test_the_claim_alone_keeps_the_promise_without_redis(
    sandbox: RunningSandbox, settings: Any
) -> None:
    settings.REDIS_ENABLED = False

    first, second = delivered(), delivered()

    assert first.lead_id == second.lead_id
    assert len(active_leads(sandbox)) == 1
