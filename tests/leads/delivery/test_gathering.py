"""Who is taken next, alone or with others, and who is left for the next one to hear."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf
from amocrm.api import pause
from amocrm.upsert import together
from leads.delivery import gathering
from leads.delivery.gathering import LOOK_EVERY, Outcomes, deliver_next
from leads.delivery.lease import HANDFUL, Lease
from leads.models import DeliveryAttempt, Submission
from tests.leads.conftest import Create

pytestmark = pytest.mark.django_db

Outcome = DeliveryAttempt.Outcome
SECOND = timedelta(seconds=1)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MOST = 10


class Deliveries:
    """What was delivered, each time; and what was told before the last time."""

    def __init__(self) -> None:
        self.made: list[list[UUID]] = []
        self.rung: list[datetime] = []
        self.rung_before: int = 0

    def __call__(self, leases: list[Lease]) -> Outcomes:
        self.rung_before = len(self.rung)
        self.made.append([lease.submission_id for lease in leases])
        for lease in leases:
            lease.release(next_attempt_at=NEVER)
        return [Outcome.DELIVERED for _ in leases]


class Clock:
    """Time passes when somebody waits, and something may happen meanwhile."""

    def __init__(self, travel: time_machine.Traveller) -> None:
        self._travel = travel
        self.waits = 0
        self.meanwhile: dict[int, Callable[[], object]] = {}

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self._travel.shift(seconds)
        self.meanwhile.get(self.waits, lambda: None)()


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(NOW, tick=False) as travel:
        yield Clock(travel)


@pytest.fixture
def deliveries() -> Deliveries:
    return Deliveries()


@pytest.fixture
def gather(clock: Clock, deliveries: Deliveries) -> Callable[..., Outcomes]:
    """Deliver the next ones by that clock."""

    def go(found_at: datetime | None = None, **options: Any) -> Outcomes:
        told: dict[str, Any] = {"ring_on": deliveries.rung.append, "deliver": deliveries}
        return deliver_next(found_at, **told | {"wait": clock.wait} | options)

    return go


Gather = Callable[..., Outcomes]


@pytest.fixture(autouse=True)
def most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several may be delivered together, and there was no crowd before."""
    monkeypatch.setattr(together, "most_together", lambda: MOST)
    gathering.crowd.forget()


@pytest.fixture
def people(create: Create) -> Callable[..., list[UUID]]:
    """Make so many submissions, each of somebody else, whose turns follow each other."""
    made: list[UUID] = []

    def make(count: int, **values: Any) -> list[UUID]:
        rows = []
        for number in range(len(made), len(made) + count):
            named = {"email": f"person{number}@mail.example", "phone": f"+7701{number:07d}"}
            turn_at = timezone.now() + number * SECOND
            rows.append(create(**{**named, "turn_at": turn_at, **values}).pk)
        made.extend(rows)
        return rows

    return make


People = Callable[..., list[UUID]]


# --- one by one --------------------------------------------------------------------------------


def test_whose_turn_it_is_goes_alone_while_only_a_handful_is_due(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(HANDFUL)
    people(3, next_attempt_at=NEVER)
    assert gather() == [Outcome.DELIVERED]
    assert (deliveries.made, clock.waits) == ([rows[:1]], 0)


def test_nobody_asks_for_a_lone_lead_how_many_may_go_together(
    people: People, gather: Gather, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> int:
        raise AssertionError("it may take a moment to find out")

    monkeypatch.setattr(together, "most_together", asked)
    people(HANDFUL)
    assert gather() == [Outcome.DELIVERED]


def test_where_none_go_together_each_goes_alone_in_turn(
    people: People,
    gather: Gather,
    deliveries: Deliveries,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(together, "most_together", lambda: 1)
    rows = people(2 * MOST)
    while gather():
        pass
    assert (deliveries.made, clock.waits) == ([[pk] for pk in rows], 0)


def test_whom_others_take_first_is_theirs_and_the_next_one_is_ours(
    people: People, gather: Gather, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "most_together", lambda: 1)
    rows = people(25)
    acquire = Lease.acquire

    def too_late(submission_id: UUID, **options: Any) -> Lease | None:
        if submission_id != rows[-1]:
            Submission.objects.filter(pk=submission_id).update(leased_until=NEVER)
        return acquire(submission_id, **options)

    monkeypatch.setattr(Lease, "acquire", too_late)
    gather()
    assert deliveries.made == [rows[-1:]]
    assert gather() == []


# --- ringing on --------------------------------------------------------------------------------


def test_who_leaves_something_due_rings_on_before_delivering(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    people(2)
    gather()
    assert (deliveries.rung, deliveries.rung_before) == ([NOW], 1)
    gather()
    assert gather() == []
    assert deliveries.rung == [NOW], "nothing was left"


def test_where_nobody_is_to_be_told_nobody_is(people: People, gather: Gather) -> None:
    people(2)
    assert gather(ring_on=None) == [Outcome.DELIVERED]


def test_a_clock_that_is_behind_takes_what_is_due_and_rings_on_by_the_senders(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    ahead = NOW + 120 * SECOND
    first, _second = people(2, next_attempt_at=ahead)
    assert gather() == []
    gather(ahead)
    assert (deliveries.made, deliveries.rung) == ([[first]], [ahead])


def test_a_message_that_was_on_its_way_for_long_makes_nobody_wait_longer(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    people(HANDFUL + 1)
    people(1, alone=True)
    gather(NOW - 60 * SECOND)
    assert (clock.waits, deliveries.rung) == (12, [NOW + 3 * SECOND])


def test_the_senders_clock_goes_on_while_a_batch_is_gathered(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    ahead = NOW + 120 * SECOND
    rows = people(HANDFUL + 1, next_attempt_at=ahead)
    clock.meanwhile[4] = lambda: rows.extend(people(1, next_attempt_at=ahead + SECOND))
    gather(ahead)
    assert (deliveries.made, clock.waits) == ([rows], 12)


# --- batches -----------------------------------------------------------------------------------


def test_a_crowd_fills_a_batch_that_goes_at_once_in_turn(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(MOST + 2)
    Submission.objects.filter(pk=rows[-1]).update(turn_at=NOW - SECOND)
    assert gather() == [Outcome.DELIVERED] * MOST
    assert deliveries.made == [[rows[-1], *rows[: MOST - 1]]]
    assert (clock.waits, deliveries.rung_before) == (0, 1)


def test_a_batch_that_is_not_full_goes_when_its_oldest_has_waited_three_seconds(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(HANDFUL)
    rows += people(1, next_attempt_at=NOW - SECOND)
    gather()
    assert (deliveries.made, clock.waits) == ([rows], 2 / LOOK_EVERY)


def test_who_has_waited_already_waits_no_more(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(HANDFUL + 1, next_attempt_at=NOW - 3 * SECOND)
    gather()
    assert (deliveries.made, clock.waits) == ([rows], 0)


def test_a_batch_that_fills_meanwhile_goes_at_once(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(HANDFUL + 1)
    clock.meanwhile[3] = lambda: rows.extend(people(MOST))
    gather()
    assert (deliveries.made, clock.waits) == ([rows[:MOST]], 3)


def test_a_crowd_that_others_take_away_is_none_any_more(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(HANDFUL + 2)
    clock.meanwhile[2] = lambda: Lease.acquire_each(rows[:3])
    gather()
    assert (deliveries.made, clock.waits) == ([rows[3:4]], 2)


def test_who_is_taken_while_a_batch_is_leased_drops_out(
    people: People, gather: Gather, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = people(MOST + HANDFUL + 2)
    acquire_each = Lease.acquire_each
    taken = [rows[:MOST], rows[MOST : MOST + 1]]

    def late(submission_ids: list[UUID], **options: Any) -> list[Lease]:
        acquire_each(taken.pop(0))
        return acquire_each(submission_ids, **options)

    monkeypatch.setattr(Lease, "acquire_each", late)
    gather()
    assert deliveries.made == [rows[MOST + 1 :]], "of the first batch none was left"


def test_who_was_put_aside_goes_alone_at_once(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(MOST + 2)
    Submission.objects.filter(pk__in=rows[:2]).update(alone=True)
    Submission.objects.filter(pk=rows[4]).update(alone=True)
    for _ in range(3):
        gather()
    batch = [*rows[2:4], *rows[5:]]
    assert deliveries.made == [rows[:1], rows[1:2], batch]
    assert clock.waits == 3 / LOOK_EVERY


def test_who_goes_alone_and_is_somebody_elses_by_then_breaks_up_no_batch(
    people: People, gather: Gather, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = people(MOST + 1)
    Submission.objects.filter(pk=rows[0]).update(alone=True)
    acquire = Lease.acquire

    def too_late(submission_id: UUID, **options: Any) -> Lease | None:
        if submission_id == rows[0]:
            acquire(submission_id)
        return acquire(submission_id, **options)

    monkeypatch.setattr(Lease, "acquire", too_late)
    gather()
    assert deliveries.made == [rows[1:]]


def test_those_who_were_put_aside_are_no_crowd(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(HANDFUL)
    people(MOST, alone=True)
    gather()
    assert (deliveries.made, clock.waits) == ([rows[:1]], 0)


@pytest.mark.parametrize(
    "named",
    [
        {"email": " PERSON0@mail.example ", "phone": ""},
        {"email": "", "phone": "8 (701) 000-00-00"},
        {"email": "person0@mail.example"},
    ],
    ids=["e-mail", "phone", "one of both"],
)
def test_of_one_person_one_goes_and_the_other_stays_for_later(
    people: People, gather: Gather, deliveries: Deliveries, named: dict[str, str]
) -> None:
    rows = people(1)
    again = people(1, **named)
    rows += people(MOST)
    gather()
    assert deliveries.made == [rows[:MOST]]
    assert Submission.objects.get(pk=again[0]).lease_token == ""
    gather()
    assert deliveries.made[1] == [*again, rows[MOST]]


def test_those_who_name_nobody_are_not_one_person(
    people: People, gather: Gather, deliveries: Deliveries
) -> None:
    rows = people(MOST, email="", phone="")
    gather()
    assert deliveries.made == [rows]


def test_a_crowd_of_one_person_goes_one_by_one(
    people: People, gather: Gather, deliveries: Deliveries
) -> None:
    rows = people(3 * MOST, email="one@mail.example", next_attempt_at=NOW - 3 * SECOND)
    gather()
    gather()
    assert deliveries.made == [rows[:1], rows[1:2]]


# --- one gatherer in a process -----------------------------------------------------------------


def test_while_one_gathers_nobody_else_of_the_process_waits(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    people(HANDFUL + 1)
    others: list[Outcomes] = []
    clock.meanwhile[1] = lambda: others.append(gather(wait=pytest.fail))
    gather()
    assert others == [[]]
    assert len(deliveries.made) == 1


def test_while_one_gathers_who_goes_alone_is_not_held_up(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    crowd = people(HANDFUL + 1)
    quick: list[UUID] = []

    def meanwhile() -> None:
        quick.extend(people(1, alone=True, turn_at=NOW - SECOND))
        gather(wait=pytest.fail)

    clock.meanwhile[1] = meanwhile
    gather()
    assert deliveries.made == [quick, crowd]


class LastMoment:
    """A lock; something happens before it is free again."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens, self._lock = happens, threading.Lock()

    def acquire(self, *, blocking: bool) -> bool:
        return self._lock.acquire(blocking=blocking)

    def release(self) -> None:
        self._happens()
        self._lock.release()


def test_at_most_two_batches_of_a_process_are_under_way(
    gather: Gather, people: People, clock: Clock, deliveries: Deliveries
) -> None:
    people(4 * MOST)
    waits: list[int] = []

    def is_stopped() -> bool:
        waits.append(1)
        return len(waits) > 3

    def two_more(leases: list[Lease]) -> Outcomes:
        if len(deliveries.made) < 2:
            done = deliveries(leases)
            if len(deliveries.made) == 1:
                gather(deliver=two_more)
            else:  # a third one waits for one of these to end, and meanwhile for a stop
                gather(deliver=two_more, is_stopped=is_stopped)
            return done
        raise AssertionError("three batches are under way")

    gather(deliver=two_more)

    assert len(waits) > 3
    gather()
    assert len(deliveries.made) == 3


def test_those_who_come_between_two_batches_belong_to_the_crowd(
    gather: Gather, people: People, clock: Clock, deliveries: Deliveries
) -> None:
    people(MOST)
    gather()
    rows = people(2)

    gather()

    assert deliveries.made[1] == rows
    assert clock.waits * LOOK_EVERY == pytest.approx(3, abs=LOOK_EVERY)


def test_a_crowd_is_over_soon(
    gather: Gather, people: People, clock: Clock, deliveries: Deliveries
) -> None:
    people(MOST)
    gather()
    clock.wait(5.1)
    waits = clock.waits
    rows = people(2)

    gather()

    assert deliveries.made[1] == rows[:1]
    assert clock.waits == waits


def test_a_few_who_went_together_keep_no_crowd_alive(
    gather: Gather, people: People, clock: Clock, deliveries: Deliveries
) -> None:
    people(MOST)
    gather()
    people(2)
    gather()
    clock.wait(3)
    rows = people(2)

    gather()

    assert deliveries.made[2] == rows[:1]


def test_who_was_left_to_the_gatherer_too_late_for_its_batch_is_rung_for(
    people: People, gather: Gather, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(MOST)

    def others_come() -> None:
        people(HANDFUL + 1)
        assert gather(wait=pytest.fail) == [], "another thread hears of them"

    monkeypatch.setattr(gathering, "_gatherer", LastMoment(others_come))
    gather()
    assert len(deliveries.rung) == 1


def test_who_gathers_in_vain_leaves_the_place_to_others(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    rows = people(HANDFUL + 1)

    def lost() -> None:
        raise OperationalError("the database is gone")

    clock.meanwhile[1] = lost
    with pytest.raises(OperationalError):
        gather()
    gather()
    assert deliveries.made == [rows]


def test_who_is_to_stop_gathers_no_longer_and_takes_nothing(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    people(HANDFUL + 1)
    assert gather(is_stopped=lambda: clock.waits == 2) == []
    assert (clock.waits, deliveries.made, deliveries.rung) == (2, [], [])
    assert set(Submission.objects.values_list("lease_token", flat=True)) == {""}


def test_a_pause_that_begins_meanwhile_leaves_everything_due(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock
) -> None:
    people(HANDFUL + 1)
    clock.meanwhile[2] = lambda: pause.begin(conf.current().account, "token", "revoked")
    assert gather() == []
    assert (clock.waits, deliveries.made, deliveries.rung) == (2, [], [])


# --- the ceiling -------------------------------------------------------------------------------


def test_a_batch_takes_what_the_ceiling_of_a_minute_leaves(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock, settings: Settings
) -> None:
    settings.BURST_MAX_PER_MINUTE = 7
    people(5, status="delivered", delivered_at=NOW - 61 * SECOND)
    people(3, status="delivered", delivered_at=NOW - 30 * SECOND)
    people(1, leased_until=NOW + SECOND, lease_token="another/1/x")
    rows = people(MOST)
    gather()
    assert (deliveries.made, clock.waits) == ([rows[:3]], 0)


def test_above_the_ceiling_a_crowd_is_not_due_and_what_goes_alone_is(
    people: People, gather: Gather, deliveries: Deliveries, clock: Clock, settings: Settings
) -> None:
    settings.BURST_MAX_PER_MINUTE = 3
    people(3, status="delivered", delivered_at=NOW - 30 * SECOND)
    rows = people(MOST)
    assert gather() == []
    assert (deliveries.made, deliveries.rung, clock.waits) == ([], [], 0)
    Submission.objects.filter(pk=rows[0]).update(alone=True)
    gather()
    assert deliveries.made == [rows[:1]]
    clock.wait(31)
    gather()
    assert deliveries.made[1:] == [rows[1:4]]


# --- delivering --------------------------------------------------------------------------------


def test_one_is_delivered_as_ever_and_several_together(
    people: People, gather: Gather, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[tuple[str, int]] = []

    def one_by_one(lease: Lease) -> DeliveryAttempt.Outcome:
        ways.append(("alone", 1))
        lease.release(next_attempt_at=NEVER)
        return Outcome.DELIVERED

    def all_together(leases: list[Lease]) -> Outcomes:
        ways.append(("together", len(leases)))
        return [None for _ in leases]

    monkeypatch.setattr(gathering, "deliver_leased", one_by_one)
    monkeypatch.setattr(gathering, "deliver_together", all_together)
    people(1)
    assert gather(deliver=gathering.deliver_gathered) == [Outcome.DELIVERED]
    people(MOST)
    assert gather(deliver=gathering.deliver_gathered) == [None] * MOST
    assert ways == [("alone", 1), ("together", MOST)]


_GATHER_ALL = """
import sys, django
django.setup()
from django.db import connection
from amocrm.upsert import together
from leads.delivery.gathering import deliver_next
together.most_together = lambda: 10
connection.ensure_connection()
print("ready", flush=True)
sys.stdin.readline()
def deliver(leases):
    print(*(lease.submission_id for lease in leases))
    return [None for _ in leases]
while deliver_next(deliver=deliver):
    pass
"""


@pytest.mark.both_databases
def test_two_processes_that_gather_at_once_lease_nobody_twice(
    process_environment: dict[str, str], people: People
) -> None:
    rows = people(60)
    gatherers = [
        subprocess.Popen(
            [sys.executable, "-c", _GATHER_ALL],
            env=process_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for gatherer in gatherers:
        assert gatherer.stdout is not None
        assert gatherer.stdout.readline() == "ready\n"
    for gatherer in gatherers:
        assert gatherer.stdin is not None
        gatherer.stdin.write("\n")
        gatherer.stdin.flush()
    batches = [gatherer.communicate(timeout=60)[0].splitlines() for gatherer in gatherers]
    assert [gatherer.returncode for gatherer in gatherers] == [0, 0]
    taken = [pk for mine in batches for batch in mine for pk in batch.split()]
    assert sorted(taken) == sorted(map(str, rows))
    assert max(len(batch.split()) for mine in batches for batch in mine) == 10
