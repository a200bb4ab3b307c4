"""How things stand, in a few figures: Redis, locks, deliveries, the CRM."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min
from django.utils import timezone

from amocrm import conf, mirror
from amocrm.api import pause, rate_limit
from amocrm.api.pause import AccountPause
from amocrm.errors import LockUnavailable
from amocrm.locks import inventory
from amocrm.locks.health import Health
from amocrm.mirror import Readiness
from amocrm.redis_clients import REDIS_ERRORS
from leads.delivery import backlog, burst, lease
from leads.delivery.backlog import Backlog
from leads.delivery.burst import Progress
from leads.models import Submission


@dataclass(frozen=True)
class Deliveries:
    """``due``: should be tried now and nobody is at it; ``waiting``: for somebody's lock.

    ``oldest_due_seconds`` is how long the one longest due has been so, ``None`` without any.
    ``backlog`` is who was accepted a while ago, whatever they wait for. ``burst``: whether leads of
    many people may be sent together; ``crowd`` is how far those are who have come at once, if any.
    """

    due: int
    failed: int
    waiting: int
    oldest_due_seconds: int | None
    paused: AccountPause | None
    backlog: Backlog
    burst: Readiness
    crowd: Progress | None

    @property
    def crowd_left_ms(self) -> float | None:
        """In how many milliseconds the last one of the crowd is in; ``None`` without any."""
        left = self.crowd.left if self.crowd else None
        return None if left is None else left.total_seconds() * 1000

    @property
    def crowd_in_at(self) -> datetime | None:
        """When that is."""
        left = self.crowd.left if self.crowd else None
        return None if left is None else timezone.now() + left

    @property
    def oldest_due_ms(self) -> int | None:
        """The same in milliseconds."""
        return None if self.oldest_due_seconds is None else self.oldest_due_seconds * 1000


def deliveries() -> Deliveries:
    """Count what waits to be delivered."""
    now = timezone.now()
    due = lease.due(now).aggregate(count=Count("pk"), oldest=Min("next_attempt_at"))
    accepted = Submission.objects.filter(status=Submission.Status.ACCEPTED)
    return Deliveries(
        due=due["count"],
        failed=Submission.objects.filter(status=Submission.Status.FAILED).count(),
        waiting=accepted.exclude(waiting_for="").count(),
        oldest_due_seconds=due["oldest"] and int((now - due["oldest"]).total_seconds()),
        paused=pause.current(),
        backlog=backlog.current(),
        burst=mirror.readiness(conf.current()),
        crowd=burst.progress(),
    )


def active_locks(state: Health) -> int | None:
    """How many locks there are, none without Redis; ``None`` when nobody can tell."""
    if not state.connected:
        return 0
    try:
        return inventory.count()
    except REDIS_ERRORS:
        return None


def requests_per_second(state: Health) -> tuple[float, float] | None:
    """Requests sent to the CRM in the last second, and the limit; ``None`` if nobody can tell."""
    if state.enabled and not state.connected:
        return None
    try:
        return rate_limit.usage()
    except LockUnavailable:
        return None
