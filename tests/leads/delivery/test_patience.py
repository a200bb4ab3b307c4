"""An outcome that is unknown is waited for with few looks, and with few rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from amocrm.contract import LeadRequest, LeadResult, Progress
from amocrm.errors import AccountPaused, LockBusy, OutcomeUnknown, RetryLater, StillSettling
from amocrm.locks.guard import hold
from amocrm.locks.names import lock_name
from amocrm.sandbox.server import RunningSandbox
from leads.delivery import outcomes
from leads.delivery.attempt import Upsert, deliver
from leads.models import DeliveryAttempt, Submission
from tests.leads.conftest import Create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

Outcome = DeliveryAttempt.Outcome
COMPLEX = "/api/v4/leads/complex"


def delivered_in_time(row: Submission) -> list[float]:
    """Deliver whenever it is due; the seconds since it was made at which that was tried."""
    began = row.created_at
    tried_at: list[float] = []
    for _ in range(100):
        row.refresh_from_db()
        if row.status != Submission.Status.ACCEPTED:
            return tried_at
        tried_at.append((row.next_attempt_at - began).total_seconds())
        with time_machine.travel(max(row.next_attempt_at, timezone.now())):
            deliver(row.pk, chance=lambda: 0.5)
    raise AssertionError("it is tried again and again")


def test_one_lost_create_costs_a_handful_of_looks(create: Create, sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", method="POST", path=COMPLEX, status=502)
    row = create()

    tried_at = delivered_in_time(row)

    assert len(tried_at) <= 7
    assert 300 < tried_at[-1] < 310, "made anew as soon as the first one cannot come any more"
    assert len(sandbox.control.state()["leads"]) == 1


def test_one_lost_note_costs_a_handful_of_looks(create: Create, sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", method="POST", path=r"/api/v4/leads/\d+/notes", status=502)
    row = create()

    tried_at = delivered_in_time(row)

    assert len(tried_at) <= 7
    assert 300 < tried_at[-1] < 310
    assert len(sandbox.control.state()["notes"]) == 1


def test_a_lead_that_arrives_late_is_adopted_at_the_next_look(
    create: Create, sandbox: RunningSandbox
) -> None:
    sandbox.control.fault("apply_late", method="POST", path=COMPLEX, delay=3600)
    row = create()
    deliver(row.pk)
    sandbox.control.apply_late()

    tried_at = delivered_in_time(row)

    assert tried_at[-1] < 10
    assert len(sandbox.control.state()["leads"]) == 1


def test_who_knows_when_to_come_back_is_believed(create: Create) -> None:
    error = StillSettling("an earlier call", retry_after=timedelta(seconds=90))
    before = timezone.now()
    at: datetime = outcomes.failed(error, attempts=1).changes["next_attempt_at"]
    assert timedelta(seconds=90) <= at - before < timedelta(seconds=91)


def failing(error: Exception) -> Upsert:
    def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        raise error

    return upsert


def attempt(row: Submission, error: Exception) -> None:
    """One attempt, made now, that ends like this."""
    Submission.objects.filter(pk=row.pk).update(next_attempt_at=timezone.now())
    assert deliver(row.pk, upsert=failing(error)) is not None


def rows_of(row: Submission) -> list[tuple[str, str, int]]:
    """The attempts as operators see them: how each ended, why, and how often."""
    found = row.delivery_attempts.order_by("pk")
    return list(found.values_list("outcome", "error", "times"))


def test_coming_back_for_the_same_reason_is_one_row_with_a_count(create: Create) -> None:
    row = create()
    for _ in range(4):
        attempt(row, StillSettling("an earlier call"))
    for _ in range(3):
        attempt(row, LockBusy("held by another", lock_name="amocrm:lead:x"))
    for _ in range(2):
        attempt(row, AccountPaused("amoCRM is paused"))
    attempt(row, StillSettling("an earlier call"))

    assert rows_of(row) == [
        (Outcome.COME_BACK, "an earlier call", 4),
        (Outcome.COME_BACK, "held by another", 3),
        (Outcome.PAUSED, "amoCRM is paused", 2),
        (Outcome.COME_BACK, "an earlier call", 1),
    ]
    counted, *_others, single = row.delivery_attempts.order_by("pk")
    assert counted.last_at is not None
    assert counted.last_at > counted.started_at
    assert single.last_at is None


def test_an_attempt_that_failed_is_a_row_as_ever(create: Create) -> None:
    row = create()
    attempt(row, StillSettling("the same"))
    for error in (RetryLater("the same"), RetryLater("the same"), OutcomeUnknown("the same")):
        attempt(row, error)
    attempt(row, StillSettling("the same"))
    assert [(outcome, times) for outcome, _error, times in rows_of(row)] == [
        (Outcome.COME_BACK, 1),
        (Outcome.RETRY, 1),
        (Outcome.RETRY, 1),
        (Outcome.UNKNOWN, 1),
        (Outcome.COME_BACK, 1),
    ]


def test_attempts_of_others_are_counted_with_nobody(create: Create) -> None:
    one, other = create(), create()
    attempt(one, StillSettling("an earlier call"))
    attempt(other, StillSettling("an earlier call"))
    assert [rows_of(row) for row in (one, other)] == [
        [(Outcome.COME_BACK, "an earlier call", 1)]
    ] * 2


@pytest.mark.needs_redis
def test_a_lock_that_is_busy_is_busy_in_the_same_words(
    create: Create, sandbox: RunningSandbox, settings: Settings
) -> None:
    settings.LOCK_WAIT = 0
    row = create()
    with hold(lock_name(row.named), reference="another"):
        for _ in range(3):
            Submission.objects.update(next_attempt_at=timezone.now())
            assert deliver(row.pk) == Outcome.COME_BACK
    assert [times for _outcome, _error, times in rows_of(row)] == [3]


def reason_of(row: Submission) -> str:
    return Submission.objects.get(pk=row.pk).reason


def test_what_the_crm_said_stays_while_the_submission_waits(create: Create) -> None:
    row = create()
    attempt(row, StillSettling("an earlier call"))
    assert reason_of(row) == "an earlier call", "nothing has failed yet"
    attempt(row, OutcomeUnknown("502 Bad Gateway"))
    assert reason_of(row) == "502 Bad Gateway"
    for _ in range(2):
        attempt(row, StillSettling("an earlier call"))
        assert reason_of(row) == "502 Bad Gateway; since then: an earlier call"
    attempt(row, AccountPaused("amoCRM is paused"))
    assert reason_of(row) == "502 Bad Gateway; since then: amoCRM is paused"
    attempt(row, RetryLater("504 Gateway Timeout"))
    assert reason_of(row) == "504 Gateway Timeout", "the last one that failed"
    attempt(row, LockBusy("held by another", lock_name="amocrm:lead:x"))
    assert reason_of(row) == "504 Gateway Timeout; since then: held by another"


def test_staff_are_told_the_cause_and_nothing_after_a_success(
    create: Create, sandbox: RunningSandbox, staff: User, client: Client
) -> None:
    sandbox.control.fault("answer", method="POST", path=COMPLEX, status=502, body="Bad Gateway")
    row = create()
    deliver(row.pk)
    Submission.objects.update(next_attempt_at=timezone.now())
    deliver(row.pk)

    client.force_login(staff)
    shown = client.get(f"/api/landing/submissions/{row.pk}").json()["error"]
    assert "502 Bad Gateway" in shown
    assert "an earlier call may still make the lead" in shown
    page = client.get(f"/admin/leads/submission/{row.pk}/change/").content.decode()
    assert "502 Bad Gateway; since then: an earlier call may still make the lead" in page

    delivered_in_time(row)
    assert reason_of(row) == ""
    assert client.get(f"/api/landing/submissions/{row.pk}").json()["error"] is None


def test_the_cause_survives_delivering_again(create: Create) -> None:
    row = create()
    attempt(row, RetryLater("502 Bad Gateway"))
    Submission.objects.update(attempts=0)
    attempt(row, StillSettling("an earlier call"))
    assert reason_of(row) == "502 Bad Gateway; since then: an earlier call"
