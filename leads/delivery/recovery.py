"""After an outage of the CRM: whoever failed in it gets an extra attempt, soon.

Delays grow to hours, so what an outage has failed would wait for hours after its end. When the
first delivery succeeds again, everything that failed since the success before it is tried once
more, at a pace that leaves room under the limit. Such an attempt comes on top of a submission's
own schedule: if it fails it is not counted, and the schedule goes on as if it had not been made.
So neither a CRM that answers now and then nor the luck of others uses anybody's attempts up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from amocrm import conf
from amocrm.errors import LeadGone, RetryLater
from amocrm.log_context import get_logger
from leads.delivery import lease
from leads.models import Submission

logger = get_logger(__name__)

# So many submissions that get no answer, and no success between: the trouble is not their own.
SEVERAL = 3
# Extra attempts of one submission are no closer than this to its last one, however the CRM limps.
LEAST_DISTANCE = timedelta(minutes=5)
REQUESTS_EACH = 5  # of a delivery, roughly
_BATCH = 100  # rows in one transaction: others want to write, too
_NEVER = datetime.min.replace(tzinfo=UTC)


def is_unanswered(error: Exception) -> bool:
    """Whether the CRM as a whole may be out: it gave no answer, or answered with 5xx or 429."""
    if not isinstance(error, RetryLater) or isinstance(error, LeadGone):
        return False
    return error.status is None or error.status == 429 or error.status >= 500


def outage_ended_by(delivered: Submission) -> datetime | None:
    """The success before the outage that the delivery of this submission ends, if it does.

    For the transaction that says so, with ``delivered`` as it was before: of two successes at the
    same time one at least is the first.
    """
    failed = Submission.objects.filter(
        status=Submission.Status.ACCEPTED, unanswered_at__isnull=False
    )
    if failed.count() + 1 < SEVERAL:  # nearly always: there is nobody to ask more about
        return None
    others = Submission.objects.exclude(pk=delivered.pk)
    last_success = others.aggregate(at=Max("delivered_at"))["at"] or _NEVER
    itself = delivered.unanswered_at is not None and delivered.unanswered_at > last_success
    together = failed.filter(unanswered_at__gt=last_success).count() + itself
    return last_success if together >= SEVERAL else None


def add_extra_attempts(since: datetime) -> int:
    """Give whoever failed for want of an answer since then an extra attempt, the oldest first;
    how many got one. Whoever comes sooner by its own schedule gets none."""
    now = timezone.now()
    pace = timedelta(seconds=REQUESTS_EACH / conf.current().max_rps)
    slot = now
    chosen: list[tuple[UUID, datetime]] = []
    rows = _may_be_hastened(now).filter(unanswered_at__gt=since).order_by("created_at", "pk")
    for row in rows.only("unanswered_at", "next_attempt_at"):
        at = max(slot, (row.unanswered_at or now) + LEAST_DISTANCE)
        if at < row.next_attempt_at:
            chosen.append((row.pk, at))
            if at == slot:
                slot += pace
    hastened = sum(_hasten(chosen[at : at + _BATCH], now) for at in range(0, len(chosen), _BATCH))
    if hastened:
        logger.warning(
            "🌤 amoCRM answers again: %d submissions that failed meanwhile are tried soon", hastened
        )
    return hastened


def add_extra_attempts_now() -> int:
    """Make due whatever waits for its next attempt, on top of its schedule; how many did."""
    now = timezone.now()
    return _may_be_hastened(now).update(scheduled_at=F("next_attempt_at"), next_attempt_at=now)


def _may_be_hastened(now: datetime) -> QuerySet[Submission]:
    # Who waits for a person's lock or lead is woken by others.
    return lease.free(now).filter(waiting_for="", scheduled_at=None, next_attempt_at__gt=now)


def _hasten(chosen: list[tuple[UUID, datetime]], now: datetime) -> int:
    with transaction.atomic():
        return sum(
            _may_be_hastened(now)
            .filter(pk=pk, next_attempt_at__gt=at)
            .update(scheduled_at=F("next_attempt_at"), next_attempt_at=at)
            for pk, at in sorted(chosen)  # in one order everywhere: no deadlocks
        )
