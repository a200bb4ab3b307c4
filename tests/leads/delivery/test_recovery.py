"""After an outage what failed in it is tried soon; what fails alone keeps its own schedule."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from amocrm.contract import LeadRequest, LeadResult, Progress
from amocrm.errors import LeadGone, NotDone, OutcomeUnknown, RateLimited, RetryLater, StillSettling
from leads.delivery.attempt import Upsert, deliver
from leads.delivery.recovery import add_extra_attempts_now, is_unanswered
from leads.models import Submission
from tests.leads.conftest import Create

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

HOURS = timedelta(hours=4)
MINUTES = timedelta(minutes=6)
SECOND = timedelta(seconds=1)
ATTEMPTS = 7  # the next delay is four hours


def ending(error: Exception | None) -> Upsert:
    def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        if error:
            raise error
        return LeadResult(5, "created")

    return upsert


def no_answer() -> RetryLater:
    return RetryLater("amoCRM answered with an error").with_response(status=502, request_id="")


def attempt(row: Submission, error: Exception | None) -> None:
    """One attempt, made now, that ends like this."""
    Submission.objects.filter(pk=row.pk).update(next_attempt_at=timezone.now())
    assert deliver(row.pk, upsert=ending(error), chance=lambda: 0.5) is not None
    row.refresh_from_db()


def extra_attempt(row: Submission, error: Exception | None) -> None:
    """The attempt that is due: unlike :func:`attempt`, it changes no time before."""
    with time_machine.travel(row.next_attempt_at):
        assert deliver(row.pk, upsert=ending(error), chance=lambda: 0.5) is not None
    row.refresh_from_db()


def outage(create: Create, many: int) -> list[Submission]:
    """So many submissions that have just failed, for the eighth time, the oldest first."""
    now = timezone.now()
    rows = [
        create(attempts=ATTEMPTS, created_at=now - timedelta(hours=many - at)) for at in range(many)
    ]
    for row in rows:
        attempt(row, no_answer())
        assert row.next_attempt_at > now + HOURS - SECOND
    return rows


def fresh(rows: list[Submission]) -> list[Submission]:
    for row in rows:
        row.refresh_from_db()
    return rows


def test_the_first_success_brings_back_what_failed_at_the_limiters_pace(
    create: Create, settings: Settings
) -> None:
    settings.AMOCRM_MAX_RPS = 5
    before, rows = create(), outage(create, 4)
    attempt(before, None)  # it came in meanwhile and is the first to succeed
    again = fresh(rows)
    assert all(row.next_attempt_at > timezone.now() + 4 * 60 * SECOND for row in again), (
        "what has failed just now waits for a moment"
    )
    assert all(row.next_attempt_at < timezone.now() + 6 * 60 * SECOND for row in again)

    Submission.objects.filter(pk__in=[row.pk for row in rows]).delete()
    rows = outage(create, 4)
    now = timezone.now() + MINUTES
    with time_machine.travel(now, tick=False):
        attempt(create(), None)
    at = [row.next_attempt_at - now for row in fresh(rows)]
    assert at == [timedelta(), SECOND, 2 * SECOND, 3 * SECOND], "the oldest first"


def test_an_extra_attempt_that_fails_changes_nothing_of_the_schedule(create: Create) -> None:
    rows = outage(create, 3)
    own: list[datetime] = [row.next_attempt_at for row in rows]
    attempt(create(), None)

    for row, at in zip(fresh(rows), own, strict=True):
        assert row.next_attempt_at < at
        extra_attempt(row, StillSettling("an earlier call"))
        extra_attempt(row, no_answer())
        assert (row.attempts, row.next_attempt_at, row.scheduled_at) == (ATTEMPTS + 1, at, None)

    extra_attempt(rows[0], no_answer())
    assert rows[0].attempts == ATTEMPTS + 2, "its own one counts as ever"


def test_a_crm_that_limps_brings_everybody_back_each_time_and_uses_nothing_up(
    create: Create,
) -> None:
    rows = outage(create, 3)
    own = [row.next_attempt_at for row in rows]
    for lucky in range(1, 4):
        with time_machine.travel(timezone.now() + lucky * MINUTES):
            attempt(create(), None)
        assert all(row.scheduled_at for row in fresh(rows))
        for row in rows:
            extra_attempt(row, no_answer())
    assert [(row.attempts, row.next_attempt_at) for row in rows] == [
        (ATTEMPTS + 1, at) for at in own
    ]


def test_what_fails_alone_keeps_its_schedule_however_many_others_succeed(create: Create) -> None:
    alone, other = create(attempts=ATTEMPTS), create(attempts=ATTEMPTS)
    attempt(alone, no_answer())
    attempt(other, no_answer())
    own = [row.next_attempt_at for row in (alone, other)]
    for _ in range(5):
        attempt(create(), None)
    assert [row.next_attempt_at for row in fresh([alone, other])] == own


def test_failures_with_a_success_between_are_no_outage(create: Create) -> None:
    rows = []
    for _ in range(5):
        rows += outage(create, 1)
        attempt(create(), None)
    assert [row.scheduled_at for row in fresh(rows)] == [None] * 5


def test_who_failed_before_the_outage_is_not_a_part_of_it(create: Create) -> None:
    (alone,) = outage(create, 1)
    attempt(create(), None)
    rows = outage(create, 3)
    attempt(create(), None)
    assert fresh([alone])[0].scheduled_at is None
    assert all(row.scheduled_at for row in fresh(rows))


def test_one_of_those_who_failed_may_be_the_first_to_succeed(create: Create) -> None:
    first, *others = outage(create, 3)
    attempt(first, None)
    assert (first.unanswered_at, first.scheduled_at) == (None, None)
    assert all(row.scheduled_at for row in fresh(others))


def test_what_comes_soon_by_itself_is_left_alone(create: Create) -> None:
    rows = [create() for _ in range(3)]
    for row in rows:
        attempt(row, no_answer())
    own = [row.next_attempt_at for row in rows]
    attempt(create(), None)
    assert [row.next_attempt_at for row in fresh(rows)] == own


@pytest.mark.parametrize(
    ("error", "unanswered"),
    [
        (RetryLater("no connection"), True),
        (OutcomeUnknown("the answer was lost"), True),
        (no_answer(), True),
        (RateLimited("429").with_response(status=429, request_id=""), True),
        (NotDone("router").with_response(status=404, request_id=""), False),
        (RetryLater("repeat").with_response(status=400, request_id=""), False),
        (LeadGone("deleted"), False),
        (StillSettling("an earlier call"), False),
        (ZeroDivisionError("a bug"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_only_who_got_no_answer_may_have_met_an_outage(
    error: Exception, *, unanswered: bool
) -> None:
    assert is_unanswered(error) is unanswered


def test_everything_that_waits_can_be_made_due_by_hand(create: Create) -> None:
    rows = outage(create, 1)
    create()
    leased = create(next_attempt_at=timezone.now() + HOURS, leased_until=timezone.now() + HOURS)
    own = rows[0].next_attempt_at
    assert add_extra_attempts_now() == 1
    (row,) = fresh(rows)
    assert (row.scheduled_at, row.attempts) == (own, ATTEMPTS + 1)
    assert row.next_attempt_at <= timezone.now()
    assert fresh([leased])[0].scheduled_at is None
