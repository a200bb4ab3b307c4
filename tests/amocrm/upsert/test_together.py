"""Deliveries that share their requests, against the real sandbox."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, ledger, mirror
from amocrm.api.client import connect
from amocrm.contract import LeadRequest, LeadResult
from amocrm.errors import AmoError, GoAlone, LockLost, PersonChanged, Rejected
from amocrm.identity import IdentityKey
from amocrm.ledger import PersonState, whole_refusals
from amocrm.locks.clearing import clear
from amocrm.locks.guard import hold
from amocrm.locks.inventory import LockRow, list_locks
from amocrm.mirror import expected
from amocrm.models import MirrorState, Person
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.protocol import upsert_lead
from amocrm.upsert.together import Together, filters, side_by_side, size
from tests.amocrm.upsert.deliveries import Remembered, request_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _mirror_is_ready(sandbox: RunningSandbox, settings: Settings) -> Iterator[None]:
    """Nothing is remembered of other tests, and the mirror is trusted."""
    settings.BURST = "auto"
    account = conf.current().account
    for forget in (size.reset, filters.reset, lambda: expected.forget(account, made())):
        forget()
    with connect(conf.current()) as crm:
        mirror.walk(crm, conf.current())
    MirrorState.objects.update(comparisons=1000)
    yield
    for forget in (size.reset, filters.reset, lambda: expected.forget(account, made())):
        forget()


def made() -> frozenset[int]:
    """The contacts that the list must show."""
    return expected.of(conf.current().account)


def people(count: int, first: int = 0) -> list[LeadRequest]:
    """Forms of so many people whom nobody knows."""
    return [
        request_of(f"person{number}@onai.academy", f"+7701{number:07d}")
        for number in range(first, first + count)
    ]


def delivered_together(
    requests: Sequence[LeadRequest], memories: Sequence[Remembered] | None = None
) -> list[LeadResult | Exception]:
    memories = memories or [Remembered() for _ in requests]
    with side_by_side(conf.current()) as together:
        jobs = [
            partial(upsert_lead, request, memory, together=together)
            for request, memory in zip(requests, memories, strict=True)
        ]
        return together.run(jobs)


def asked(sandbox: RunningSandbox) -> Counter[str]:
    """The requests for people, without those about the account."""
    counts = Counter(sandbox.control.state()["requests"]["counts"])
    return Counter(
        {
            what: times
            for what, times in counts.items()
            if not any(one in what for one in ("account", "pipelines", "custom_fields"))
        }
    )


def active_leads(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return [lead for lead in sandbox.control.state()["leads"] if lead["is_active"]]


def kinds(results: Sequence[LeadResult | Exception]) -> Counter[str]:
    return Counter(
        one.action if isinstance(one, LeadResult) else type(one).__name__ for one in results
    )


@contextmanager
def later(seconds: float) -> Iterator[None]:
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds)):
        yield


COMPLEX, NOTES = "/api/v4/leads/complex", "/api/v4/leads/notes"
NO_NAME = {"code": "NotBlank", "path": "name", "detail": "This value should not be blank."}
NO_SUCH_TAG = {
    "code": "NotSupportedChoice",
    "path": "tags_to_add.0.name",
    "detail": "This value is not valid.",
}


# Everything goes well -----------------------------------------------------------------------


def test_fifty_new_people_take_three_requests(sandbox: RunningSandbox) -> None:
    before = asked(sandbox)

    results = delivered_together(people(50))

    assert kinds(results) == {"created": 50}
    state = sandbox.control.state()
    assert len(state["contacts"]) == len(state["leads"]) == len(state["notes"]) == 50
    assert state["people"]["with_two_active_leads"] == 0
    assert Person.objects.filter(creating_since=None, lead_id__isnull=False).count() == 50
    assert asked(sandbox) - before == {
        "GET /api/v4/contacts": 1,
        "POST /api/v4/leads/complex": 1,
        "POST /api/v4/leads/notes": 1,
    }


def test_each_gets_the_lead_and_the_note_that_are_theirs(sandbox: RunningSandbox) -> None:
    forms = people(7)

    results = delivered_together(forms)

    state = sandbox.control.state()
    carried = {one["id"]: one["emails"][0] for one in state["contacts"]}
    whose = {lead["id"]: carried[lead["contact_ids"][0]] for lead in state["leads"]}
    noted = {note["entity_id"]: note["text"] for note in state["notes"]}
    for form, result in zip(forms, results, strict=True):
        assert isinstance(result, LeadResult)
        assert IdentityKey("email", whose[result.lead_id]) in form.named
        assert form.reference in noted[result.lead_id]


def test_repeats_take_two_requests_where_the_account_has_filters(sandbox: RunningSandbox) -> None:
    sandbox.control.config(is_api_filter_enabled=True)
    delivered_together(people(20))
    before = asked(sandbox)

    results = delivered_together(people(20))

    assert kinds(results) == {"updated": 20}
    assert asked(sandbox) - before == {"GET /api/v4/leads": 1, "POST /api/v4/leads/notes": 1}
    assert len(active_leads(sandbox)) == 20
    assert len(sandbox.control.state()["notes"]) == 40


def test_without_filters_leads_are_read_one_by_one(sandbox: RunningSandbox) -> None:
    delivered_together(people(6))
    before = asked(sandbox)

    delivered_together(people(4))
    delivered_together(people(4))

    assert asked(sandbox) - before == {
        "GET /api/v4/leads": 1,  # tried once; what it showed all the same is used
        "GET /api/v4/leads/{id}": 4,
        "POST /api/v4/leads/notes": 2,
    }


def test_changes_of_many_leads_are_one_request(sandbox: RunningSandbox) -> None:
    sandbox.control.config(is_api_filter_enabled=True)
    delivered_together(people(5))
    before = asked(sandbox)

    results = delivered_together([replace(one, tags=("экспресс",)) for one in people(5)])

    assert kinds(results) == {"updated": 5}
    assert (asked(sandbox) - before)["PATCH /api/v4/leads"] == 1
    assert all("экспресс" in lead["tags"] for lead in active_leads(sandbox))


def test_one_alone_asks_as_always(sandbox: RunningSandbox) -> None:
    delivered_together(people(1))

    assert asked(sandbox)["POST /api/v4/leads/{id}/notes"] == 1


# One of them is in trouble ------------------------------------------------------------------


def test_who_has_changed_meanwhile_drops_out_and_the_others_go_on(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = people(3)
    real = ledger.claim

    def claim(person: PersonState, reference: str) -> PersonState:
        if reference == forms[1].reference:
            Person.objects.filter(id=person.id).update(version=F("version") + 1)
        return real(person, reference)

    monkeypatch.setattr(ledger, "claim", claim)
    results = delivered_together(forms)

    assert [type(one) for one in results] == [LeadResult, PersonChanged, LeadResult]
    assert len(active_leads(sandbox)) == 2


@pytest.mark.needs_redis
def test_whose_lock_is_held_is_not_waited_for(sandbox: RunningSandbox, redis_server: Any) -> None:
    forms = people(3)
    name = ledger.resolve(conf.current().account, forms[2].named).lock_name

    with hold(name, reference="another"):
        results = delivered_together(forms)

    assert kinds(results) == {"created": 2, "LockBusy": 1}


def test_two_of_one_person_do_not_meet_in_one_request(sandbox: RunningSandbox) -> None:
    (form,) = people(1)

    results = delivered_together([form, replace(form, reference="another"), *people(2, first=5)])

    assert kinds(results)["created"] == 3
    assert len(active_leads(sandbox)) == 3
    assert sandbox.control.state()["people"]["with_two_active_leads"] == 0


def test_who_is_known_to_the_mirror_goes_alone(sandbox: RunningSandbox) -> None:
    forms = people(3)
    sandbox.control.seed(contacts=[{"name": "Known", "emails": ["person1@onai.academy"]}])

    results = delivered_together(forms)

    assert [type(one) for one in results] == [LeadResult, GoAlone, LeadResult]
    assert upsert_lead(forms[1], Remembered()).action == "created"
    assert len(sandbox.control.state()["contacts"]) == 3


def test_who_has_contacts_and_no_lead_goes_alone(sandbox: RunningSandbox) -> None:
    forms = people(3)
    result = upsert_lead(forms[0], Remembered())
    sandbox.control.act("close_lead", lead_id=result.lead_id)

    results = delivered_together(people(3))

    assert [type(one) for one in results] == [GoAlone, LeadResult, LeadResult]


def test_an_error_of_the_database_is_the_trouble_of_one(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = people(3)
    real = ledger.resolve

    def resolve(account: str, named: Any) -> PersonState:
        if named == forms[0].named:
            with connection.cursor() as cursor:
                cursor.execute("SELECT nothing FROM nowhere")
        return real(account, named)

    monkeypatch.setattr(ledger, "resolve", resolve)
    results = delivered_together(forms)

    assert isinstance(results[0], DatabaseError)
    assert kinds(results[1:]) == {"created": 2}
    assert Person.objects.filter(lead_id__isnull=False).count() == 2


def test_who_stops_the_process_stops_all_of_them(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []

    def job(number: int, together: Together) -> None:
        try:
            together.client.lead(number)
            if number == 2:
                raise SystemExit
            together.client.lead(number + 10)
        finally:
            ended.append(number)

    with side_by_side(conf.current()) as together, pytest.raises(SystemExit):
        together.run([partial(job, number, together) for number in (1, 2, 3)])

    assert sorted(ended) == [1, 2, 3]


@pytest.mark.needs_redis
def test_each_lock_of_a_batch_says_for_which_submission_and_is_cleared_alone(
    sandbox: RunningSandbox, redis_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms, real = people(5), mirror.contacts_with
    seen: list[LockRow] = []

    def contacts_with(account: str, keys: Any) -> frozenset[int]:
        if not seen:  # all of them hold their locks by now
            seen.extend(list_locks())
            clear([one for one in seen if "person3" in one.name], by="operator", why="a test")
        return real(account, keys)

    monkeypatch.setattr(mirror, "contacts_with", contacts_with)
    results = delivered_together(forms)

    holders = {one.name.split(":")[2]: one.holder.reference for one in seen if one.holder}
    assert holders == {
        f"person{number}@onai.academy": form.reference for number, form in enumerate(forms)
    }
    assert [type(one) for one in results] == [LeadResult] * 3 + [LockLost, LeadResult]


# amoCRM is in trouble -----------------------------------------------------------------------


def test_a_lost_batch_is_adopted_together(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("lose_answer", path=COMPLEX)
    forms, memories = people(20), [Remembered() for _ in range(20)]

    lost = delivered_together(forms, memories)

    assert kinds(lost) == {"OutcomeUnknown": 20}
    assert Person.objects.filter(creating_since__isnull=False).count() == 20
    before = asked(sandbox)
    sandbox.control.config(is_api_filter_enabled=True)
    assert kinds(delivered_together(forms, memories)) == {"created": 20}
    taken = asked(sandbox) - before
    assert taken == {
        "GET /api/v4/contacts": 2,  # the newest ones; once more to see what they lack
        "GET /api/v4/leads": 2,  # to adopt, and to go on from there
        "POST /api/v4/leads/notes": 1,
    }
    assert len(active_leads(sandbox)) == len(sandbox.control.state()["notes"]) == 20


def test_a_batch_that_never_arrived_is_made_again_once_it_is_settled(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.fault("answer", path=COMPLEX, status=502)
    forms, memories = people(5), [Remembered() for _ in range(5)]
    assert kinds(delivered_together(forms, memories)) == {"OutcomeUnknown": 5}

    assert kinds(delivered_together(forms, memories)) == {"StillSettling": 5}
    with later(301):
        assert kinds(delivered_together(forms, memories)) == {"created": 5}

    assert len(active_leads(sandbox)) == 5


def test_a_batch_without_an_answer_is_halved_for_a_while(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", path=COMPLEX, status=504)

    delivered_together(people(20))

    assert size.now == 10


def test_notes_whose_answer_was_lost_are_not_written_twice(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("lose_answer", path=NOTES)
    forms, memories = people(6), [Remembered() for _ in range(6)]

    assert kinds(delivered_together(forms, memories)) == {"OutcomeUnknown": 6}
    assert kinds(delivered_together(forms, memories)) == {"StillSettling": 6}
    before = asked(sandbox)
    with later(301):
        assert kinds(delivered_together(forms, memories)) == {"created": 6}

    assert (asked(sandbox) - before)["GET /api/v4/leads/notes"] == 1
    assert len(sandbox.control.state()["notes"]) == 6


def test_of_lost_notes_only_those_that_are_missing_are_written(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("commit_then_answer", method="POST", path=NOTES, part=0.5, status=504)
    forms, memories = people(6), [Remembered() for _ in range(6)]
    delivered_together(forms, memories)
    assert len(sandbox.control.state()["notes"]) == 3

    with later(301):
        assert kinds(delivered_together(forms, memories)) == {"created": 6}

    notes = Counter(note["text"] for note in sandbox.control.state()["notes"])
    assert len(notes) == 6
    assert set(notes.values()) == {1}


def test_whoever_amocrm_asks_to_slow_down_gives_all_claims_back(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", path=COMPLEX, status=429, body="<html>")

    assert kinds(delivered_together(people(5))) == {"RateLimited": 5}

    assert not Person.objects.filter(creating_since__isnull=False).exists()


# One row is wrong ---------------------------------------------------------------------------


def blame(sandbox: RunningSandbox, form: LeadRequest) -> int:
    """amoCRM refuses a batch with this one's tags."""
    body = {
        "validation-errors": [{"request_id": form.reference, "errors": [NO_SUCH_TAG]}],
        "title": "Bad Request",
        "status": 400,
    }
    return sandbox.control.fault(
        "answer",
        path=COMPLEX,
        body_has=f"{form.reference}.*tags_to_add|tags_to_add.*{form.reference}",
        times=1,
        status=400,
        body=body,
    )


def test_a_row_that_is_wrong_is_repaired_and_the_others_are_unknown(
    sandbox: RunningSandbox,
) -> None:
    forms, memories = people(4), [Remembered() for _ in range(4)]
    blame(sandbox, forms[2])

    first = delivered_together(forms, memories)

    assert kinds(first) == {"created": 1, "OutcomeUnknown": 3}
    assert isinstance(first[2], LeadResult)
    with later(301):
        left = [0, 1, 3]
        again = delivered_together([forms[n] for n in left], [memories[n] for n in left])
    assert kinds(again) == {"created": 3}
    assert len(active_leads(sandbox)) == 4


def test_an_account_that_was_seen_to_refuse_whole_batches_is_believed(
    sandbox: RunningSandbox,
) -> None:
    forms, memories = people(4), [Remembered() for _ in range(4)]
    blame(sandbox, forms[2])
    delivered_together(forms, memories)
    with later(301):
        delivered_together(forms, memories)
        sandbox.control.clear_faults()
        others = people(4, first=50)
        blame(sandbox, others[1])

        results = delivered_together(others)

    assert kinds(results) == {"created": 4}
    assert len(active_leads(sandbox)) == 8


def test_an_account_that_was_seen_to_take_the_rest_of_a_batch_never_is(
    sandbox: RunningSandbox,
) -> None:
    account = conf.current().account
    whole_refusals.doubt(account, ["a", "b", "c"])
    whole_refusals.learn(account, "a/1", was_made=False)
    assert whole_refusals.are_whole(account)

    whole_refusals.learn(account, "b/1", was_made=True)
    whole_refusals.learn(account, "c/1", was_made=False)

    assert not whole_refusals.are_whole(account)


def test_a_lead_that_is_refused_by_itself_is_the_trouble_of_one(sandbox: RunningSandbox) -> None:
    """Two change their lead, and of a batch that is refused for both each is sent alone."""
    sandbox.control.config(is_api_filter_enabled=True)
    delivered_together(people(3))
    body = {"validation-errors": [{"request_id": "0", "errors": [NO_NAME]}], "status": 400}
    sandbox.control.fault("answer", method="PATCH", path="/api/v4/leads.*", status=400, body=body)
    sandbox.control.fault("answer", method="PATCH", path="/api/v4/leads.*", status=400, body=body)

    results = delivered_together([replace(one, tags=("второй",)) for one in people(3)])

    assert kinds(results) == {"Rejected": 2, "updated": 1}


def _kinds_of(error: type[AmoError]) -> Iterator[type[AmoError]]:
    yield error
    for kind in error.__subclasses__():
        yield from _kinds_of(kind)


@pytest.mark.parametrize("kind", sorted(_kinds_of(AmoError), key=str))
def test_every_error_can_be_told_to_several(kind: type[AmoError]) -> None:
    error = kind("why", problems=()) if issubclass(kind, Rejected) else kind("why")
    error.with_response(status=400, request_id="x")

    same = copy.copy(error)

    assert same is not error
    assert (type(same), str(same), vars(same)) == (kind, "why", vars(error))


# Answers are read by what they name -----------------------------------------------------------


def test_answers_in_another_order_are_told_apart(sandbox: RunningSandbox) -> None:
    sandbox.control.config(shuffle_answers=True, is_api_filter_enabled=True)
    forms = people(7)

    results = delivered_together(forms)
    again = delivered_together([replace(one, tags=("второй",)) for one in people(7)])

    assert kinds(again) == {"updated": 7}
    for first, second in zip(results, again, strict=True):
        assert isinstance(first, LeadResult)
        assert isinstance(second, LeadResult)
        assert first.lead_id == second.lead_id
    state = sandbox.control.state()
    carried = {one["id"]: one["emails"][0] for one in state["contacts"]}
    whose = {lead["id"]: carried[lead["contact_ids"][0]] for lead in state["leads"]}
    for form, result in zip(forms, results, strict=True):
        assert isinstance(result, LeadResult)
        assert IdentityKey("email", whose[result.lead_id]) in form.named


def test_two_whom_amocrm_makes_one_lead_of_have_that_lead(sandbox: RunningSandbox) -> None:
    """For us these are two phones, for amoCRM the same ten last digits."""
    sandbox.control.config(merge_within_request=True)
    forms = [request_of("", "+77012345678"), request_of("", "+917012345678"), *people(1)]
    memories = [Remembered() for _ in forms]

    first = delivered_together(forms, memories)
    again = [upsert_lead(form, memory) for form, memory in zip(forms[:2], memories, strict=False)]

    assert kinds(first) == {"created": 1, "PersonChanged": 2}  # the two have become one
    assert memories[0].lead_id == memories[1].lead_id
    assert kinds(again) == {"updated": 2}
    assert len(active_leads(sandbox)) == 2
    assert Person.objects.filter(merged_into=None).count() == 2


def test_half_a_batch_that_was_carried_out_is_adopted_and_the_rest_is_made_again(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.fault("commit_then_answer", path=COMPLEX, part=0.5, status=504)
    forms, memories = people(10), [Remembered() for _ in range(10)]
    assert kinds(delivered_together(forms, memories)) == {"OutcomeUnknown": 10}

    assert kinds(delivered_together(forms, memories)) == {"created": 5, "StillSettling": 5}
    with later(301):
        left = [n for n in range(10) if memories[n].lead_id is None]
        again = delivered_together([forms[n] for n in left], [memories[n] for n in left])

    assert kinds(again) == {"created": 5}
    assert len(active_leads(sandbox)) == 10
    assert len(sandbox.control.state()["notes"]) == 10


def test_rows_that_an_answer_leaves_out_are_looked_for(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("delay_answer", path=COMPLEX, part=0.5)
    forms, memories = people(4), [Remembered() for _ in range(4)]

    assert kinds(delivered_together(forms, memories)) == {"created": 2, "OutcomeUnknown": 2}

    with later(301):
        assert kinds(delivered_together(forms[2:], memories[2:])) == {"created": 2}
    assert len(active_leads(sandbox)) == 4


def test_an_account_that_carries_out_the_rest_of_a_batch_doubles_nobody(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.config(partial_400=True)
    cached_schema_before = delivered_together(people(1, first=90))
    assert kinds(cached_schema_before) == {"created": 1}
    sandbox.control.config(drop_field="UTM_SOURCE")
    forms, memories = people(4), [Remembered() for _ in range(4)]
    forms[1:] = [replace(one, utm={}) for one in forms[1:]]

    first = delivered_together(forms, memories)

    assert kinds(first) == {"created": 1, "OutcomeUnknown": 3}
    assert kinds(delivered_together(forms[1:], memories[1:])) == {"created": 3}
    assert len(active_leads(sandbox)) == 5
    assert not whole_refusals.are_whole(conf.current().account)


# The mirror -----------------------------------------------------------------------------------


def test_a_contact_that_was_made_a_moment_ago_is_seen(sandbox: RunningSandbox) -> None:
    """The search does not show it yet."""
    forms = people(3)
    sandbox.control.seed(
        contacts=[{"name": "Anna", "emails": ["person0@onai.academy"], "indexed": False}],
        leads=[{"contact": 0}],
    )

    results = delivered_together(forms)

    assert [type(one) for one in results] == [GoAlone, LeadResult, LeadResult]


def test_a_mirror_that_lies_is_found_by_an_ordinary_delivery_before_it_doubles_anybody(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.config(list_lag=3600)  # the search shows what the lists do not
    sandbox.control.seed(
        contacts=[
            {
                "name": name,
                "emails": [f"person{name}@onai.academy"],
                "updated_at": 1,
                "listed": False,
            }
            for name in "01"
        ],
        leads=[{"contact": 0}, {"contact": 1}],
    )
    one, two, three = people(3)

    assert upsert_lead(one, Remembered()).action == "updated"
    results = delivered_together([two, three])

    assert mirror.readiness(conf.current()) is mirror.Readiness.DISTRUSTED
    assert kinds(results) == {"GoAlone": 2}
    assert sandbox.control.state()["people"]["with_two_active_leads"] == 0


def test_a_list_that_lags_is_found_by_what_we_have_made_ourselves(sandbox: RunningSandbox) -> None:
    delivered_together(people(3))
    sandbox.control.config(list_lag=3600)
    assert kinds(delivered_together(people(3, first=10))) == {"created": 3}

    assert kinds(delivered_together(people(3, first=20))) == {"GoAlone": 3}

    assert mirror.readiness(conf.current()) is mirror.Readiness.DISTRUSTED
