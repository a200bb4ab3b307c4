"""What each outcome of an attempt does to its submission."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from amocrm import errors
from amocrm.contract import LeadRequest, LeadResult, Progress
from leads.delivery.attempt import Upsert, deliver
from leads.delivery.lease import Lease
from leads.models import DeliveryAttempt, Submission
from tests.leads.conftest import Create

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

Outcome = DeliveryAttempt.Outcome
SECOND = timedelta(seconds=1)


def middle() -> float:
    """Chance without a chance: no jitter, 6.5 s to come back."""
    return 0.5


def raising(error: BaseException) -> Upsert:
    def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        raise error

    return upsert


def succeeding(request: LeadRequest, progress: Progress) -> LeadResult:
    progress.heartbeat()
    progress.lead_known(5, "created")
    progress.note_sending(timezone.now())
    return LeadResult(lead_id=5, action="created")


def fresh(row: Submission) -> Submission:
    return Submission.objects.get(pk=row.pk)


def assert_free(row: Submission) -> None:
    assert (row.leased_until, row.lease_token) == (None, "")


def assert_due_in(row: Submission, seconds: float) -> None:
    left = (row.next_attempt_at - timezone.now()).total_seconds()
    assert seconds - 5 < left <= seconds


def test_a_delivered_submission_knows_its_lead(create: Create) -> None:
    row = create(reason="Gateway Timeout", attempts=2)

    assert deliver(row.pk, upsert=succeeding) == Outcome.DELIVERED

    row = fresh(row)
    assert (row.status, row.lead_id, row.action, row.attempts, row.reason) == (
        Submission.Status.DELIVERED,
        5,
        "created",
        3,
        "",
    )
    assert row.delivered_at is not None
    assert_free(row)
    attempt = row.delivery_attempts.get()
    assert (attempt.outcome, attempt.error) == (Outcome.DELIVERED, "")
    assert deliver(row.pk, upsert=raising(AssertionError())) is None


def test_the_crm_is_asked_with_what_was_sent(create: Create) -> None:
    row = create()
    asked: list[LeadRequest] = []

    def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        asked.append(request)
        held = fresh(row)
        assert held.lease_token
        assert held.leased_until is not None
        return LeadResult(lead_id=5, action="updated")

    deliver(row.pk, upsert=upsert)
    assert [request.reference for request in asked] == [str(row.pk)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.LockBusy("busy", lock_name="amocrm:lead:x"), Outcome.COME_BACK),
        (errors.LockLost("lost"), Outcome.COME_BACK),
        (errors.LockUnavailable("no Redis"), Outcome.COME_BACK),
        (errors.LeaseLost("the person changed"), Outcome.COME_BACK),
        (errors.StillSettling("an earlier call"), Outcome.COME_BACK),
        (
            errors.AccountPaused("paused", until=timezone.now() + timedelta(hours=1)),
            Outcome.PAUSED,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_coming_back_uses_up_no_attempt(
    create: Create, error: errors.ComeBack, outcome: DeliveryAttempt.Outcome
) -> None:
    row = create(attempts=3)

    assert deliver(row.pk, upsert=raising(error), chance=middle) == outcome

    row = fresh(row)
    assert (row.status, row.attempts, row.reason) == ("accepted", 3, str(error))
    assert row.waiting_for == error.lock_name
    assert_free(row)
    assert_due_in(row, 6.5)
    assert row.delivery_attempts.get().outcome == outcome


def test_waiting_for_a_lock_began_with_the_first_busy_answer(create: Create) -> None:
    row = create()
    busy = raising(errors.LockBusy("busy", lock_name="amocrm:lead:x"))
    deliver(row.pk, upsert=busy)
    since = fresh(row).waiting_since
    assert since is not None
    Submission.objects.update(next_attempt_at=timezone.now())
    deliver(row.pk, upsert=busy)
    assert fresh(row).waiting_since == since
    Submission.objects.update(next_attempt_at=timezone.now())
    deliver(row.pk, upsert=raising(errors.StillSettling("wait")))
    assert (fresh(row).waiting_for, fresh(row).waiting_since) == ("", None)
    assert list(row.delivery_attempts.values_list("error", "times")) == [("busy", 2), ("wait", 1)]


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (
            errors.RetryLater("Gateway Timeout").with_response(status=504, request_id="r-1"),
            Outcome.RETRY,
            "Gateway Timeout",
        ),
        (
            errors.OutcomeUnknown("the answer was lost").with_response(
                status=502, request_id="r-1"
            ),
            Outcome.UNKNOWN,
            "the answer was lost",
        ),
        (ZeroDivisionError("a bug"), Outcome.CRASHED, "ZeroDivisionError: a bug"),
        (ZeroDivisionError(), Outcome.CRASHED, "ZeroDivisionError: ZeroDivisionError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_failed_attempt_is_counted_and_tried_later(
    create: Create, error: Exception, outcome: DeliveryAttempt.Outcome, reason: str
) -> None:
    row = create(attempts=1, waiting_for="amocrm:lead:x", waiting_since=timezone.now())

    assert deliver(row.pk, upsert=raising(error), chance=middle) == outcome

    row = fresh(row)
    assert (row.status, row.attempts, row.reason) == ("accepted", 2, reason)
    assert (row.waiting_for, row.waiting_since) == ("", None)
    assert_free(row)
    assert_due_in(row, 30)
    attempt = row.delivery_attempts.get()
    assert (attempt.outcome, attempt.error) == (outcome, reason)
    if isinstance(error, errors.AmoError):
        assert (attempt.http_status, attempt.request_id) == (error.status, "r-1")


@pytest.mark.parametrize("error", [errors.RetryLater("no"), ZeroDivisionError("no")])
def test_after_the_whole_schedule_a_submission_has_failed_and_is_kept(
    create: Create, error: Exception
) -> None:
    row = create()
    for attempt in range(1, 12):
        assert fresh(row).status == "accepted"
        Submission.objects.update(next_attempt_at=timezone.now())
        deliver(row.pk, upsert=raising(error))
        assert fresh(row).attempts == attempt
    row = fresh(row)
    assert row.status == Submission.Status.FAILED
    assert row.delivery_attempts.count() == 11
    assert_free(row)


@pytest.mark.parametrize(
    "error",
    [
        errors.Refused("Wrong value").with_response(status=400, request_id=""),
        errors.NobodyToIdentify("nobody"),
    ],
)
def test_what_the_crm_refuses_has_failed_at_once(create: Create, error: errors.Refused) -> None:
    row = create()
    assert deliver(row.pk, upsert=raising(error)) == Outcome.REFUSED
    row = fresh(row)
    assert (row.status, row.attempts, row.reason) == ("failed", 1, str(error))
    assert row.delivery_attempts.get().http_status == error.status


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(1)])
def test_a_worker_that_is_stopped_lets_go_at_once(create: Create, stop: BaseException) -> None:
    row = create(attempts=1)
    with pytest.raises(type(stop)):
        deliver(row.pk, upsert=raising(stop))
    row = fresh(row)
    assert (row.status, row.attempts) == ("accepted", 1)
    assert_free(row)
    assert deliver(row.pk, upsert=succeeding) == Outcome.DELIVERED


@pytest.mark.parametrize("outcome", [None, errors.RetryLater("no"), errors.Refused("no")])
def test_an_end_after_the_lease_was_lost_changes_nothing(
    create: Create, outcome: Exception | None
) -> None:
    row = create()
    seen: dict[str, Any] = {}

    def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        Submission.objects.update(leased_until=timezone.now() - SECOND)
        assert Lease.acquire(row.pk) is not None
        seen.update(Submission.objects.values().get(pk=row.pk))
        if outcome:
            raise outcome
        return LeadResult(lead_id=5, action="created")

    deliver(row.pk, upsert=upsert)

    assert Submission.objects.values().get(pk=row.pk) == seen
    assert row.delivery_attempts.count() == 1


def test_a_lead_that_is_known_is_remembered_over_a_failed_note(create: Create) -> None:
    row = create()

    def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        progress.lead_known(5, "created")
        progress.note_sending(timezone.now())
        raise errors.OutcomeUnknown("the note's answer was lost")

    def next_upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        assert (progress.lead_id, progress.action) == (5, "created")
        assert progress.note_sent_at is not None
        return LeadResult(lead_id=5, action="created")

    deliver(row.pk, upsert=upsert)
    Submission.objects.update(next_attempt_at=timezone.now())
    assert deliver(row.pk, upsert=next_upsert) == Outcome.DELIVERED


def test_what_no_database_can_hold_is_taken_out_of_an_error(create: Create) -> None:
    row = create()
    error = errors.RetryLater("a\x00b\ud800" + "x" * 9000)
    error.with_response(status=500, request_id="\0" + "r" * 500)
    assert deliver(row.pk, upsert=raising(error)) == Outcome.RETRY
    attempt = row.delivery_attempts.get()
    assert attempt.error.startswith("a b x")
    assert (len(attempt.error), len(attempt.request_id)) == (4000, 128)


def test_a_submission_that_is_not_there_is_nobodys_error() -> None:
    from uuid import uuid4

    assert deliver(uuid4(), upsert=succeeding) is None


def test_no_transaction_is_open_while_the_crm_is_spoken_to(
    create: Create, transactional_db: None
) -> None:
    from django.db import connection

    row = create()
    open_ones: list[bool] = []

    def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        open_ones.append(connection.in_atomic_block)
        return LeadResult(lead_id=5, action="created")

    deliver(row.pk, upsert=upsert)
    assert open_ones == [False]
