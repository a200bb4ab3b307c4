"""A try that others have overtaken: what it made, what it may still write, what it must leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.db.models import F
from django.utils import timezone

from amocrm import conf, counters, ledger
from amocrm.api.client import Client
from amocrm.api.schemas import Lead
from amocrm.counters import totals
from amocrm.errors import (
    AmoError,
    ComeBack,
    LockLost,
    OutcomeUnknown,
    PersonChanged,
    StillSettling,
)
from amocrm.identity import IdentityKey, identities
from amocrm.ledger import PersonState
from amocrm.locks.guard import HeldLock
from amocrm.locks.holder import Holder
from amocrm.models import DuplicateLead, Person
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert import lookup
from amocrm.upsert.context import UpsertContext
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import EMAIL, PHONE, Remembered, request_of
from tests.amocrm.upsert.test_protocol import (
    FIRST_STAGE,
    OTHER_EMAIL,
    OTHER_PHONE,
    active_leads,
    delivered,
)
from tests.servers import RedisServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

CLOSED, SUPERSEDED = DuplicateLead.State.CLOSED, DuplicateLead.Origin.SUPERSEDED


def keys(email: str = "", phone: str = "") -> frozenset[IdentityKey]:
    return identities(emails=[email], phones=[phone], region="KZ")


def the_person() -> PersonState:
    return ledger.read(Person.objects.get().id)


def once_before(name: str, do: Callable[[], object]) -> Any:
    """`do` happens right before the first call of this method of the client."""
    real = getattr(Client, name)
    done: list[bool] = []

    def call(self: Client, *args: Any, **options: Any) -> Any:
        if not done:
            done.append(True)
            do()
        return real(self, *args, **options)

    return mock.patch.object(Client, name, call)


def after_the_claim(do: Callable[[], object]) -> Any:
    """`do` happens between the first claim and its POST."""
    real = ledger.claim
    done: list[bool] = []

    def claim(person: PersonState, reference: str) -> PersonState:
        claimed = real(person, reference)
        if not done:
            done.append(True)
            do()
        return claimed

    return mock.patch.object(ledger, "claim", claim)


@contextmanager
def without_locks() -> Iterator[None]:
    """As if every lock had just been lost: others work on the person at the same time."""

    @contextmanager
    def locked_context(person: PersonState, **given: Any) -> Iterator[UpsertContext]:
        crm = given.pop("crm")
        lock = HeldLock(person.lock_name, Holder.here("x"))
        yield UpsertContext(**given, person=ledger.read(person.id), lock=lock, unguarded_crm=crm)

    with mock.patch("amocrm.upsert.protocol.locked_context", locked_context):
        yield


def overtaken() -> None:
    """Our claim was given back, and somebody else has made the lead."""
    ledger.release(the_person())
    delivered()


# The late sender -----------------------------------------------------------------------------


def test_who_comes_too_late_closes_its_own_lead_and_comes_back(sandbox: RunningSandbox) -> None:
    with without_locks(), after_the_claim(overtaken), pytest.raises(ComeBack):
        upsert_lead(request_of(), Remembered())

    (kept,) = active_leads(sandbox)
    assert the_person().lead_id == kept["id"]
    (closed,) = [lead for lead in sandbox.control.state()["leads"] if lead["id"] != kept["id"]]
    assert closed["status_id"] == 143
    assert "дубль" in closed["tags"]
    (why,) = [n for n in sandbox.control.state()["notes"] if n["entity_id"] == closed["id"]]
    assert f"ID {kept['id']}" in why["text"]
    assert DuplicateLead.objects.get(lead_id=closed["id"], origin=SUPERSEDED).state == CLOSED
    assert totals()["duplicate_closed"] == 1


def claimed_by_another() -> None:
    """Our claim was given back, and somebody else may have a lead on its way."""
    ledger.claim(ledger.release(the_person()), "another")


def test_a_lead_that_another_may_have_on_its_way_counts_as_made(sandbox: RunningSandbox) -> None:
    with without_locks(), after_the_claim(claimed_by_another), pytest.raises(ComeBack):
        upsert_lead(request_of(), Remembered())

    (closed,) = sandbox.control.state()["leads"]
    assert closed["status_id"] == 143
    assert the_person().creating_ref.startswith("another/")
    assert DuplicateLead.objects.get(lead_id=closed["id"]).state == CLOSED


@pytest.mark.parametrize("path", [r"/api/v4/leads/\d+", "/api/v4/leads/pipelines"])
def test_a_late_lead_is_not_forgotten_when_amocrm_fails_just_then(
    sandbox: RunningSandbox, path: str
) -> None:
    def overtaken_and_out_of_order() -> None:
        overtaken()
        cache.clear()
        sandbox.control.fault("answer", method="GET", path=path, status=502)

    request, progress = request_of(), Remembered()
    with without_locks(), after_the_claim(overtaken_and_out_of_order), pytest.raises(AmoError):
        upsert_lead(request, progress)
    assert DuplicateLead.objects.get(origin=SUPERSEDED).state == DuplicateLead.State.SUPERSEDED

    upsert_lead(request, progress)

    assert len(active_leads(sandbox)) == 1
    assert DuplicateLead.objects.get(origin=SUPERSEDED).state == CLOSED


def test_a_lead_that_amocrm_merged_us_into_is_not_ours_to_close(sandbox: RunningSandbox) -> None:
    sandbox.control.config(index_lag=3600, duplicate_control=True)
    (lead_id,) = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [EMAIL], "phones": [PHONE], "indexed": False}],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}],
    )["leads"]

    with without_locks(), after_the_claim(claimed_by_another), pytest.raises(ComeBack):
        upsert_lead(request_of(), Remembered())

    (lead,) = sandbox.control.state()["leads"]
    assert (lead["id"], lead["is_active"]) == (lead_id, True)


def test_what_is_being_closed_is_nobodys_answer_to_a_claim(sandbox: RunningSandbox) -> None:
    """Whoever reconciles meanwhile must not adopt it: its note would be on a closed lead."""
    made = delivered(EMAIL, "")
    person = ledger.supersede(the_person(), made.lead_id)
    Person.objects.update(lead_id=None)
    ledger.claim(person, "another")

    with pytest.raises(ComeBack, match="may still make the lead"):
        upsert_lead(request_of(), Remembered())


def test_who_looked_before_cannot_adopt_what_is_being_closed(sandbox: RunningSandbox) -> None:
    looked = ledger.resolve(conf.current().account, keys(EMAIL))
    ledger.supersede(looked, 1)
    with pytest.raises(PersonChanged):
        ledger.adopt(looked, 1)


def test_who_looked_before_does_not_settle_what_was_disowned_since(
    sandbox: RunningSandbox,
) -> None:
    late = delivered(EMAIL, "").lead_id
    Person.objects.update(lead_id=None)
    ledger.claim(the_person(), "another")
    real = lookup.keep_newest

    def disowned_meanwhile(context: UpsertContext, leads: list[Lead]) -> Lead:
        with mock.patch.object(lookup, "keep_newest", real):
            ledger.supersede(the_person(), late)
        return real(context, leads)

    choose = mock.patch.object(lookup, "keep_newest", disowned_meanwhile)
    with without_locks(), choose, pytest.raises(PersonChanged):
        upsert_lead(request_of(), Remembered())
    ledger.record(the_person(), raced_lead(sandbox))
    delivered()

    assert len(active_leads(sandbox)) == 1
    assert DuplicateLead.objects.get(lead_id=late).state == CLOSED


# What a dead process left to close --------------------------------------------------------------


def left_to_close(lead_id: int) -> DuplicateLead:
    return DuplicateLead.objects.create(
        person=Person.objects.get(),
        lead_id=lead_id,
        origin=SUPERSEDED,
        state=DuplicateLead.State.SUPERSEDED,
    )


def raced_lead(sandbox: RunningSandbox) -> int:
    (contact,) = sandbox.control.state()["contacts"]
    (lead_id,) = sandbox.control.seed(
        leads=[{"contact_ids": [contact["id"]], "status_id": FIRST_STAGE}]
    )["leads"]
    return int(lead_id)


def test_it_is_closed_by_the_next_delivery(sandbox: RunningSandbox) -> None:
    first = delivered()
    row = left_to_close(raced_lead(sandbox))
    assert delivered().lead_id == first.lead_id
    assert [lead["id"] for lead in active_leads(sandbox)] == [first.lead_id]
    row.refresh_from_db()
    assert row.state == CLOSED


def test_it_stays_where_the_other_one_is_closed_by_now(sandbox: RunningSandbox) -> None:
    first = delivered()
    raced = raced_lead(sandbox)
    left_to_close(raced)
    sandbox.control.act("close_lead", lead_id=first.lead_id, status_id=142)
    assert delivered().lead_id == raced
    assert [lead["id"] for lead in active_leads(sandbox)] == [raced]


def test_the_recorded_lead_is_never_closed_for_it(sandbox: RunningSandbox) -> None:
    first = delivered()
    left_to_close(first.lead_id)
    assert delivered().lead_id == first.lead_id
    assert len(active_leads(sandbox)) == 1


def test_what_is_gone_keeps_nobody_from_being_delivered(sandbox: RunningSandbox) -> None:
    first = delivered()
    row = left_to_close(999_999)
    assert delivered().lead_id == first.lead_id
    row.refresh_from_db()
    assert row.state == CLOSED


@pytest.mark.parametrize("times", [1, 2])
def test_a_refused_closing_is_tried_without_the_tag_and_then_shown(
    sandbox: RunningSandbox, times: int
) -> None:
    delivered()
    row = left_to_close(raced_lead(sandbox))
    invalid = {"validation-errors": [{"errors": [{"path": "tags_to_add.0"}]}]}
    path = f"/api/v4/leads/{row.lead_id}"
    sandbox.control.fault(
        "answer", method="PATCH", path=path, status=400, body=invalid, times=times
    )

    assert delivered().action == "updated"

    row.refresh_from_db()
    assert row.state == (CLOSED if times == 1 else DuplicateLead.State.ACTIVE)
    assert len(active_leads(sandbox)) == times


# What ends a claim ------------------------------------------------------------------------------


def test_a_recorded_lead_that_is_active_again_does_not_end_a_claim(
    sandbox: RunningSandbox,
) -> None:
    """It is new and theirs, but it was made before the claim: ours may still arrive beside it."""
    first = delivered()
    sandbox.control.act("close_lead", lead_id=first.lead_id)
    sandbox.control.fault("apply_late", method="POST", path=".*/leads/complex", delay=3600)
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    sandbox.control.act("move_lead", lead_id=first.lead_id, status_id=FIRST_STAGE)

    with pytest.raises(StillSettling):
        upsert_lead(request, progress)


def test_only_a_look_that_began_after_settling_ends_a_claim(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("reset", method="POST", path=".*/leads/complex")
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)

    almost = timezone.now() + conf.current().settle - timedelta(seconds=2)
    with time_machine.travel(almost, tick=False) as clock:
        with once_before("search_contacts", lambda: clock.shift(4)), pytest.raises(StillSettling):
            upsert_lead(request, progress)
        clock.shift(1)
        assert upsert_lead(request, progress).action == "created"


# Nothing is created from a stale look ------------------------------------------------------------


def test_a_second_try_without_the_rejected_field_needs_a_look_of_its_own(
    sandbox: RunningSandbox,
) -> None:
    delivered("someone@x.kz", "")  # the account's fields are known
    sandbox.control.config(drop_field="FBCLID")
    sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [], "phones": [OTHER_PHONE]}],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}],
    )
    before = len(active_leads(sandbox))

    def named_anew() -> None:
        ledger.resolve(conf.current().account, keys(EMAIL, OTHER_PHONE))

    request = request_of(EMAIL, PHONE, utm={"fbclid": "1"})
    with after_the_claim(named_anew), pytest.raises(ComeBack, match="named anew"):
        upsert_lead(request, Remembered())

    assert Person.objects.filter(creating_since__isnull=False).count() == 0
    assert upsert_lead(request, Remembered()).action == "updated"
    assert len(active_leads(sandbox)) == before


# The checkpoint ----------------------------------------------------------------------------------


class Overtaken(Remembered):
    """A delivery that another worker has taken over."""

    def heartbeat(self) -> None:
        raise PersonChanged("the delivery is another's")


def test_who_lost_the_delivery_asks_nothing_more(sandbox: RunningSandbox) -> None:
    with pytest.raises(PersonChanged):
        upsert_lead(request_of(), Overtaken())
    assert sandbox.control.requests() == []


@pytest.mark.needs_redis
@pytest.mark.parametrize("call", ["search_contacts", "create_lead", "add_notes"])
def test_who_lost_the_lock_stops_at_the_next_request(
    sandbox: RunningSandbox, redis_server: RedisServer, call: str
) -> None:
    asked: list[int] = []

    def clear() -> None:
        redis_server.client(1).flushdb()
        asked.append(len(sandbox.control.requests()))

    with once_before(call, clear), pytest.raises(LockLost):
        upsert_lead(request_of(), Remembered())
    assert len(sandbox.control.requests()) == asked[0]
    assert totals()["lock_lost"] == 1


@pytest.mark.parametrize("call", ["search_contacts", "create_lead"])
def test_who_looked_at_an_older_person_stops_at_the_next_request(
    sandbox: RunningSandbox, call: str
) -> None:
    asked: list[int] = []

    def named_anew() -> None:
        ledger.resolve(conf.current().account, keys(EMAIL, OTHER_PHONE))
        asked.append(len(sandbox.control.requests()))

    with once_before(call, named_anew), pytest.raises(PersonChanged):
        upsert_lead(request_of(), Remembered())
    assert len(sandbox.control.requests()) == asked[0]
    assert totals()["claim_lost"] == 1


# Others who must be reconciled first -------------------------------------------------------------


def test_a_chain_of_claims_is_reconciled_one_after_the_other(sandbox: RunningSandbox) -> None:
    """Uniting waits for Y, whose contact is W's too, and W has a claim as well."""
    account = conf.current().account
    settle = conf.current().settle
    ledger.claim(ledger.resolve(account, keys("w@x.kz")), "w")
    ledger.claim(ledger.resolve(account, keys("", PHONE)), "y")
    ledger.resolve(account, keys(OTHER_EMAIL))
    Person.objects.filter(creating_since__isnull=False).update(
        creating_since=F("creating_since") - settle
    )
    sandbox.control.seed(contacts=[{"name": "A", "emails": ["w@x.kz"], "phones": [PHONE]}])

    assert delivered(OTHER_EMAIL, PHONE).action == "created"

    assert Person.objects.filter(creating_since__isnull=False).count() == 0
    assert Person.objects.filter(merged_into=None).count() == 1
    assert len(active_leads(sandbox)) == 1
    assert totals()["united"] == 2


@pytest.mark.parametrize("trouble", [OperationalError, InterfaceError])
def test_a_counter_that_cannot_be_raised_changes_nothing(
    sandbox: RunningSandbox, trouble: type[Exception]
) -> None:
    person = ledger.claim(ledger.resolve(conf.current().account, keys(EMAIL)), "x")
    with mock.patch.object(counters, "_add", side_effect=trouble()):
        assert ledger.release(person).creating_since is None
