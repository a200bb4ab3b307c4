"""One attempt to bring a submission to the CRM: lease, upsert, finish.

The row decides: an attempt begins with a conditional lease and ends with a conditional write, so a
worker that stalls, dies or comes too late changes nothing that is no longer its own. No
transaction is open while ``upsert_lead`` speaks to the CRM.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from amocrm import conf, counters, log_context
from amocrm.contract import LeadRequest, LeadResult, Progress
from amocrm.errors import AccountPaused, AmoError, ComeBack, GoAlone, LeaseLost
from amocrm.locks import turn
from amocrm.upsert import together
from amocrm.upsert.protocol import upsert_lead
from leads.delivery import outcomes, recovery, waiting
from leads.delivery.bell import bell
from leads.delivery.connections import drop_old_connections
from leads.delivery.lease import Lease
from leads.delivery.mapping import lead_request
from leads.delivery.outcomes import Outcome
from leads.delivery.progress import SubmissionProgress
from leads.delivery.retry import Chance
from leads.models import DeliveryAttempt, Submission

logger = log_context.get_logger(__name__)

Upsert = Callable[[LeadRequest, Progress], LeadResult]


def deliver(
    submission_id: UUID, *, upsert: Upsert = upsert_lead, chance: Chance = random.random
) -> DeliveryAttempt.Outcome | None:
    """Attempt once to deliver a submission; ``None`` if it is not due or leased already.

    Whatever goes wrong with the CRM or in our own code ends up on the submission and in a
    ``DeliveryAttempt``; only errors of the database come out, and then the lease expires.
    """
    lease = Lease.acquire(submission_id)
    return None if lease is None else deliver_leased(lease, upsert=upsert, chance=chance)


def deliver_leased(
    lease: Lease, *, upsert: Upsert = upsert_lead, chance: Chance = random.random
) -> DeliveryAttempt.Outcome | None:
    """As :func:`deliver`, for a submission that is leased already."""
    submission = Submission.objects.select_related("form").get(pk=lease.submission_id)
    return _deliver_known(submission, lease, upsert, chance)


def deliver_together(
    leases: Sequence[Lease], *, chance: Chance = random.random
) -> list[DeliveryAttempt.Outcome | None]:
    """Attempt once to deliver all of these, of different people; how each ended, ``None`` where it
    was put aside to go alone.

    Each is the attempt of :func:`deliver_leased`; they share their requests and commits
    (:mod:`amocrm.upsert.together`). Only what stops the process comes out.
    """
    rows = Submission.objects.select_related("form")
    submissions = rows.in_bulk([lease.submission_id for lease in leases])
    ended: list[DeliveryAttempt.Outcome | None | Exception]
    try:
        with together.side_by_side(conf.current()) as company:
            upsert = partial(upsert_lead, together=company)
            ended = company.run(
                [
                    partial(_deliver_known, submissions[lease.submission_id], lease, upsert, chance)
                    for lease in leases
                ]
            )
    except AccountPaused:  # nobody can be asked: each is told so by itself
        return [deliver_leased(lease, chance=chance) for lease in leases]
    except Exception as error:  # the database failed all of them: alone each may fare better
        logger.exception("💥 Delivering together crashed")
        ended = [error for _ in leases]
    except BaseException:  # the process is being stopped
        _put_aside_each(leases)
        raise
    _put_aside_each(
        lease for lease, end in zip(leases, ended, strict=True) if isinstance(end, Exception)
    )
    return [None if isinstance(end, Exception) else end for end in ended]


def _put_aside_each(leases: Iterable[Lease]) -> None:
    """Those that are still ours."""
    for lease in leases:
        with suppress(LeaseLost, DatabaseError):
            _put_aside(lease)


def _put_aside(lease: Lease) -> None:
    """Have it delivered alone, soon. Raises ``LeaseLost``."""
    lease.release(alone=True, next_attempt_at=timezone.now())
    transaction.on_commit(bell.ring)


def _deliver_known(
    submission: Submission, lease: Lease, upsert: Upsert, chance: Chance
) -> DeliveryAttempt.Outcome | None:
    with log_context.log_context(named=submission.named, reference=str(submission.pk)):
        return _deliver_leased(submission, lease, upsert, chance)


def _deliver_leased(
    submission: Submission, lease: Lease, upsert: Upsert, chance: Chance
) -> DeliveryAttempt.Outcome | None:
    """``None`` where it was put aside."""
    started_at, clock = timezone.now(), time.monotonic()
    try:
        result = upsert(lead_request(submission), SubmissionProgress(submission, lease))
        outcome = outcomes.delivered(result, attempts=submission.attempts)
    except GoAlone as error:
        with suppress(LeaseLost):
            _put_aside(lease)
        logger.debug("🚶 It goes alone: %s", error)
        return None
    except AmoError as error:
        outcome = _failed(error, submission, chance)
    except Exception as error:  # a mistake of ours must not lose the submission
        logger.exception("💥 Delivery crashed")
        drop_old_connections()  # a broken one must not keep us from writing this down
        outcome = _failed(error, submission, chance)
    except BaseException:  # the process is being stopped
        with suppress(LeaseLost, DatabaseError):
            lease.release()
        raise
    duration_ms = round((time.monotonic() - clock) * 1000)
    still_ours = _finish(submission, lease, outcome, started_at, duration_ms)
    _log(outcome, still_ours=still_ours)
    if still_ours:
        _wake_waiters(submission, outcome)
    return outcome.kind


def _failed(error: Exception, submission: Submission, chance: Chance) -> Outcome:
    cause = submission.last_failure() if isinstance(error, ComeBack) else ""
    return outcomes.failed(
        error,
        attempts=submission.attempts,
        cause=cause,
        scheduled_at=submission.scheduled_at,
        chance=chance,
    )


def _finish(
    submission: Submission, lease: Lease, outcome: Outcome, started_at: datetime, duration_ms: int
) -> bool:
    """Write down the attempt, and its result if the lease still holds; whether it did."""
    outage_since = None
    with transaction.atomic():
        _write_down(submission, outcome, started_at, duration_ms)
        try:
            lease.release(**outcome.changes)
        except LeaseLost:  # the attempt is written down all the same
            # Counted here alone: whoever loses the lease on the way comes by here, too.
            counters.count(counters.Event.LEASE_LOST)
            return False
        if outcome.kind == DeliveryAttempt.Outcome.DELIVERED:
            outage_since = recovery.outage_ended_by(submission)
    if outage_since:
        recovery.add_extra_attempts(outage_since)
    return True


def _write_down(
    submission: Submission, outcome: Outcome, started_at: datetime, duration_ms: int
) -> None:
    """A row for the attempt; one that came back for the reason of the newest row counts there."""
    if outcome.kind in DeliveryAttempt.CAME_BACK:
        newest = submission.delivery_attempts.order_by("-pk").first()
        if newest and (newest.outcome, newest.error) == (outcome.kind, outcome.error):
            same = DeliveryAttempt.objects.filter(pk=newest.pk)
            if same.update(times=F("times") + 1, last_at=started_at):
                return
    DeliveryAttempt.objects.create(
        submission=submission,
        started_at=started_at,
        duration_ms=duration_ms,
        outcome=outcome.kind,
        http_status=outcome.http_status,
        request_id=outcome.request_id,
        error=outcome.error,
    )


def _wake_waiters(submission: Submission, outcome: Outcome) -> None:
    """Let the next one come who waits for the same person.

    Not where the CRM did not answer or the person is waited for: others would fare alike.
    """
    # Whoever held the lock may have looked for waiters before this one was written down as one.
    is_missed = bool(outcome.busy_lock) and turn.is_free(outcome.busy_lock)
    if outcome.is_over or is_missed:
        waiting.wake_next(submission)


def _log(outcome: Outcome, *, still_ours: bool) -> None:
    if not still_ours:
        logger.warning("🏳️ The lease was lost, its result is left to the new holder")
    elif outcome.kind == DeliveryAttempt.Outcome.DELIVERED:
        logger.info(
            "📬 Delivered: lead ID %s %s", outcome.changes["lead_id"], outcome.changes["action"]
        )
    elif outcome.is_final:
        logger.error("❌ Failed after %d attempts: %s", outcome.changes["attempts"], outcome.error)
    else:
        seconds = (outcome.changes["next_attempt_at"] - timezone.now()).total_seconds()
        logger.info("⏳ %s, again in %.0f s: %s", outcome.kind, max(seconds, 0), outcome.error)
