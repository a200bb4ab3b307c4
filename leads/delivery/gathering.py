"""Taking what is due and delivering it, once: one submission, or several together.

Each message to the workers leads here, and so does each turn of ``deliver_leads``. The first in
turn decides: by itself it is leased and delivered at once. Only in a crowd it goes with those
behind it, for amoCRM takes few requests a second, and those who are delivered together share them.

Whoever leaves something due rings on before delivering. So the next worker begins meanwhile, and
nobody has to go on for ever: a worker that is stopped has at most one delivery to end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from amocrm import conf
from amocrm.api import pause
from amocrm.errors import AccountPaused
from amocrm.identity import IdentityKey
from amocrm.upsert import together
from leads.delivery import burst, lease
from leads.delivery.attempt import deliver_leased, deliver_together
from leads.delivery.fairness import in_turn
from leads.delivery.lease import HANDFUL, NOT_AHEAD, Lease
from leads.models import DeliveryAttempt, Submission

#: A batch that is not full goes when the oldest of it has been due for so long.
BATCH_WAIT = timedelta(seconds=3)
#: Until then whoever gathers it looks again this often, in seconds.
LOOK_EVERY = 0.25
#: After a batch those few who come belong to the same crowd for so long.
CROWD_LASTS = timedelta(seconds=5)

_MINUTE = timedelta(minutes=1)
# Other workers choose at the same moment: each of these may be taken before we are.
_CANDIDATES = 10
# Rows that are looked at for each place in a batch: several may be of one person.
_ROWS_A_PLACE = 2

# Threads of one process need not wait for the same batch.
_gatherer = threading.Lock()
# More batches of one process at once would only wait for each other: for the processor, for
# SQLite, for amoCRM. Meanwhile the next one fills.
_under_way = threading.BoundedSemaphore(2)


class _Crowd:
    """Whether many come just now. Then nobody is alone: between two batches a few are always due,
    and delivered one by one they would take more requests than the batches."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As at the start of the process."""
        self._last_at = datetime.min.replace(tzinfo=UTC)

    def was_seen(self) -> None:
        """A batch of more than a handful goes."""
        self._last_at = timezone.now()

    @property
    def handful(self) -> int:
        """So many that may go together are none."""
        is_over = timezone.now() - self._last_at > CROWD_LASTS
        return HANDFUL if is_over else 0


crowd = _Crowd()

Outcomes = list[DeliveryAttempt.Outcome | None]
Deliver = Callable[[list[Lease]], Outcomes]


def deliver_gathered(leases: list[Lease]) -> Outcomes:
    """Attempt once to deliver these, one by itself and several together."""
    if len(leases) == 1:
        return [deliver_leased(leases[0])]
    burst.report()
    return deliver_together(leases)


def deliver_next(
    found_at: datetime | None = None,
    *,
    ring_on: Callable[[datetime], object] | None = None,
    deliver: Deliver = deliver_gathered,
    is_stopped: Callable[[], bool] = lambda: False,
    wait: Callable[[float], object] = time.sleep,
) -> Outcomes:
    """Take what is to be delivered next and attempt it once; how each attempt ended, nothing where
    there was nothing to take.

    ``found_at`` is when somebody found something due; where our clock is behind, it counts as now.
    ``ring_on`` is called, with the time, before delivering what leaves something due. May ``wait``
    (seconds) for a batch to fill, up to :data:`BATCH_WAIT`, unless ``is_stopped()``.
    """
    ahead = max(found_at - timezone.now(), NOT_AHEAD) if found_at else NOT_AHEAD
    with ExitStack() as until_delivered:
        leases = _gather(ahead, is_stopped, wait, until_delivered)
        if not leases:
            return []
        now = timezone.now()
        # Only now: who came while another one was gathering left it to that one.
        if ring_on and lease.due(now, ahead=ahead).exists():
            ring_on(now + ahead)
        return deliver(leases)


def is_held_up() -> bool:
    """Whether amoCRM is not to be asked just now: the account is paused, or asked to slow down."""
    try:
        pause.check(conf.current().account)
    except AccountPaused:
        return True
    return False


@dataclass(frozen=True)
class _Found:
    """Who is first in turn: the first of ``singles`` that can be had, or a crowd, of which so many
    ``places`` go together."""

    singles: list[UUID]
    places: int = 0


def _gather(
    ahead: timedelta,
    is_stopped: Callable[[], bool],
    wait: Callable[[float], object],
    until_delivered: ExitStack,
) -> list[Lease]:
    with ExitStack() as until_taken:
        is_gatherer = False
        while not is_held_up():
            found = _look(ahead)
            for submission_id in found.singles:
                if taken := Lease.acquire(submission_id, ahead=ahead):
                    return [taken]
            if found.singles:
                continue  # each of them was somebody else's by then, so the work goes on
            if not found.places:
                break
            if not is_gatherer:
                if not _gatherer.acquire(blocking=False):
                    break  # whoever has it takes these, too
                until_taken.callback(_gatherer.release)
                is_gatherer = True
            batch = _batch_that_goes_now(found.places, ahead)
            if batch and _under_way.acquire(blocking=False):
                until_delivered.callback(_under_way.release)
                if leases := Lease.acquire_each(batch, ahead=ahead):
                    if len(leases) > HANDFUL:
                        crowd.was_seen()
                    return leases
                until_delivered.close()
            elif is_stopped():
                break
            else:
                wait(LOOK_EVERY)
    return []


def _look(ahead: timedelta) -> _Found:
    now = timezone.now()
    due = in_turn(lease.due(now, ahead=ahead))
    first = list(due.values_list("pk", "alone")[:_CANDIDATES])
    handful = crowd.handful
    # What a lone lead must not wait for is asked last.
    is_crowd = (
        len(first) > handful
        and (most := together.most_together()) > 1
        and due.filter(alone=False)[: handful + 1].count() > handful
    )
    if not is_crowd or first[0][1]:
        alike = takewhile(lambda row: row[1] or not is_crowd, first)
        return _Found(singles=[submission_id for submission_id, _alone in alike])
    return _Found(singles=[], places=_places(most, now))


def _batch_that_goes_now(places: int, ahead: timedelta) -> list[UUID]:
    """The first who may go together, where they are as many as may or have waited long enough."""
    now = timezone.now()
    batch = _of_different_people(in_turn(lease.due(now, ahead=ahead)).filter(alone=False), places)
    since = min((row.next_attempt_at for row in batch), default=now)
    goes_now = len(batch) == places or now + ahead - since >= BATCH_WAIT
    return [row.pk for row in batch] if goes_now else []


def _of_different_people(rows: QuerySet[Submission], most: int) -> list[Submission]:
    """The first of ``rows``, of each person one."""
    batch: list[Submission] = []
    people: set[IdentityKey] = set()
    for row in rows.only("email", "phone", "next_attempt_at")[: most * _ROWS_A_PLACE]:
        if len(batch) < most and people.isdisjoint(row.named):
            batch.append(row)
            people |= row.named
    return batch


def _places(most: int, now: datetime) -> int:
    """How many may go together: at most so many, and no more than the ceiling of a minute leaves.

    Two processes that ask in the same instant may take as many each.
    """
    ceiling = conf.current().burst_max_per_minute
    if ceiling is None:
        return most
    delivered = Submission.objects.filter(delivered_at__gt=now - _MINUTE).count()
    status = Submission.Status.ACCEPTED
    under_way = Submission.objects.filter(status=status, leased_until__gt=now).count()
    return max(min(most, ceiling - delivered - under_way), 0)
