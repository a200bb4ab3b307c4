"""A write whose answer was lost is looked for a few times, at growing distances."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import time_machine
from django.utils import timezone

from amocrm import ledger
from amocrm.errors import OutcomeUnknown, StillSettling
from amocrm.identity import identities
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.protocol import upsert_lead
from amocrm.upsert.settling import next_look
from tests.amocrm.upsert.deliveries import EMAIL, Remembered, request_of

SENT_AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def looks(settle: float, first: float) -> list[float]:
    """The ages of the write, in seconds, at which it is looked for, the first one given."""
    ages = [first]
    while ages[-1] < settle:
        with time_machine.travel(SENT_AT + timedelta(seconds=ages[-1]), tick=False):
            ages.append(ages[-1] + next_look(SENT_AT, timedelta(seconds=settle)).total_seconds())
    return ages


@pytest.mark.parametrize(
    ("settle", "first", "ages"),
    [
        (300, 5, [5, 15, 45, 135, 301]),
        (300, 0, [0, 5, 15, 45, 135, 301]),
        (300, 299.5, [299.5, 301]),
        (45, 5, [5, 15, 45]),
        (2, 0, [0, 3]),
    ],
)
def test_each_look_comes_at_three_times_the_age_and_the_last_right_after_settling(
    settle: float, first: float, ages: list[float]
) -> None:
    assert looks(settle, first) == ages


def test_a_clock_that_is_ahead_or_a_look_that_took_long_still_leaves_a_second() -> None:
    for age in (-600, 1000):
        with time_machine.travel(SENT_AT + timedelta(seconds=age), tick=False):
            wait = next_look(SENT_AT, timedelta(seconds=300))
        assert timedelta(seconds=1) <= wait <= timedelta(seconds=901)


class Wait(NamedTuple):
    """What one delivery that only waits costs the CRM, and for how long it waits then."""

    asked: int
    seconds: float


@pytest.fixture
def look_again(sandbox: RunningSandbox) -> Callable[[], Wait]:
    def look() -> Wait:
        before = len(sandbox.control.requests())
        with pytest.raises(StillSettling) as settling:
            upsert_lead(request_of(), Remembered())
        assert settling.value.retry_after is not None
        asked = len(sandbox.control.requests()) - before
        return Wait(asked, settling.value.retry_after.total_seconds())

    return look


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_all_who_wait_for_one_lead_wait_for_one_look(
    sandbox: RunningSandbox, look_again: Callable[[], Wait]
) -> None:
    """Four forms of one person, and the answer of the first one's lead is lost."""
    sandbox.control.fault("answer", method="POST", path="/api/v4/leads/complex", status=502)
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request_of(), Remembered())

    waits = [look_again() for _ in range(3)]

    asked = [wait.asked for wait in waits]
    assert asked[0] > 0
    assert asked[1:] == [0, 0]
    assert waits[2].seconds <= waits[1].seconds <= waits[0].seconds
    with time_machine.travel(timezone.now() + timedelta(seconds=waits[0].seconds)):
        assert look_again().asked > 0
    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert upsert_lead(request_of(), Remembered()).action == "created"


@pytest.mark.django_db(transaction=True)
def test_a_new_claim_waits_for_no_look_of_an_older_one() -> None:
    named = identities(emails=[EMAIL], phones=[], region="KZ")
    person = ledger.claim(ledger.resolve("school.amocrm.ru", named), "first")
    ledger.looked_in_vain(person, next_look_at=timezone.now() + timedelta(seconds=90))

    again = ledger.claim(ledger.release(person), "second")

    assert ledger.read(again.id).next_look_at is None
    ledger.looked_in_vain(person, next_look_at=timezone.now())  # of the claim that is gone
    assert ledger.read(again.id).next_look_at is None
