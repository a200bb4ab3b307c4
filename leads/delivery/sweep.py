"""Finding what is due: telling the workers of it, or delivering it in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.utils import timezone

from amocrm.account import probe
from leads.delivery import dispatch, lease
from leads.delivery.connections import drop_old_connections
from leads.delivery.gathering import Deliver, deliver_gathered, deliver_next, is_held_up
from leads.models import DeliveryAttempt


def ring_if_due() -> bool:
    """Tell the workers that there is work, if anything is due; whether they were told.

    First lets the account's pause be probed when that is due. While amoCRM is not to be asked or
    the broker does not answer nobody is told, so that all is due as soon as that ends.
    """
    probe.probe_if_due()
    if not dispatch.can_tell() or is_held_up():
        return False
    now = timezone.now()
    return lease.due(now).exists() and dispatch.tell_workers(now)


def deliver_due(
    limit: int = 100,
    *,
    deliver: Deliver = deliver_gathered,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Counter[str]:
    """Deliver due submissions in this process until ``limit`` attempts are made; how many ended
    how. A batch is not cut for the limit.

    For running without Celery. Each time it is the one whose turn it is by then. Stops between two
    deliveries when ``is_stopped()``.
    """
    counts: Counter[str] = Counter()
    probe.probe_if_due()
    while counts.total() < limit and not is_stopped():
        drop_old_connections()
        outcomes = deliver_next(deliver=deliver, is_stopped=is_stopped)
        if not outcomes:
            break
        counts.update(outcome.value for outcome in outcomes if outcome)
        if DeliveryAttempt.Outcome.PAUSED in outcomes:
            break
    return counts
