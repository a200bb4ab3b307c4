"""Finding what is due: dispatching it to the workers, or delivering it in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from amocrm.account import probe
from amocrm.api import pause
from leads.delivery import dispatch, lease
from leads.delivery.attempt import deliver
from leads.delivery.connections import drop_old_connections
from leads.delivery.fairness import Deliver, deliver_next, in_turn
from leads.models import DeliveryAttempt, Submission

#: Until then the message may still be on its way, or a worker at it.
DISPATCH_AGAIN_AFTER = timedelta(seconds=30)


def dispatch_due(limit: int = 100) -> int:
    """Dispatch at most ``limit`` due submissions that were not dispatched lately; how many.

    First lets the account's pause be probed when that is due. While the account is paused or
    the broker does not answer nothing is dispatched, so that all is due as soon as that ends.
    """
    probe.probe_if_due()
    if not dispatch.can_dispatch() or pause.current():
        return 0
    chosen = _choose(limit)
    sent = dispatch.dispatch(chosen)
    if sent < len(chosen):
        Submission.objects.filter(pk__in=chosen).update(dispatched_at=None)
    return sent


def _choose(limit: int) -> list[UUID]:
    now = timezone.now()
    not_lately = Q(dispatched_at=None) | Q(dispatched_at__lt=now - DISPATCH_AGAIN_AFTER)
    due = in_turn(lease.due(now).filter(not_lately))
    ids = list(due.values_list("pk", flat=True)[:limit])
    if not ids:
        return []
    chosen = set()
    with transaction.atomic():
        for submission_id in sorted(ids):  # in one order everywhere: no deadlocks
            row = lease.due(now).filter(not_lately, pk=submission_id)
            if row.update(dispatched_at=now):
                chosen.add(submission_id)
    return [submission_id for submission_id in ids if submission_id in chosen]


def deliver_due(
    limit: int = 100,
    *,
    deliver: Deliver = deliver,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Counter[str]:
    """Deliver at most ``limit`` due submissions in this process; how many ended how.

    For running without Celery. Each time it is the one whose turn it is by then. Stops between two
    submissions when ``is_stopped()``.
    """
    counts: Counter[str] = Counter()
    probe.probe_if_due()
    if pause.current():
        return counts
    while counts.total() < limit and not is_stopped():
        drop_old_connections()
        outcome = deliver_next(deliver)
        if outcome is None:
            break
        counts[outcome.value] += 1
        if outcome == DeliveryAttempt.Outcome.PAUSED:
            break
    return counts
