"""How many forms are taken within a time, counted by the rows that accepted ones became.

So a limit holds for all processes together, only what was accepted uses it up, and nothing is
written for it. Forms that are under way at the same moment do not see each other, and the first
form that a process hears of a sender is let pass: a limit is exceeded by as many of them at most.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection
from datetime import datetime, timedelta
from time import monotonic  # the system's clock may be set back

from django.core.cache.backends.locmem import LocMemCache
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.throttling import SimpleRateThrottle

from amocrm import conf as amocrm_conf
from amocrm import ledger
from amocrm.identity import IdentityKey, without_ignored
from leads import conf
from leads.models import Submission

#: About so many e-mails and phones are remembered, and so many senders.
MOST_PEOPLE = 50_000
MOST_SENDERS = 50_000


class CountedRows(SimpleRateThrottle):
    """A rate as REST framework reads it (``60/min``), kept by the rows that accepted forms became.

    The first form that a process hears of a sender costs nothing: most people send one.
    """

    #: Whom this process has heard of within the unit of time.
    heard = LocMemCache("heard", {"OPTIONS": {"MAX_ENTRIES": MOST_SENDERS}})

    num_requests: int
    duration: int  # of the rate's unit, in seconds
    #: The turn of the sender's last form, once it was looked for: leads.delivery.fairness.
    last_turn: datetime | None = None

    def seconds_left(self, client: str) -> int:
        """Whole seconds until ``client`` may send one more; 0: now."""
        if self.heard.add(client, True, self.duration):
            return 0
        # Written out it takes a third of what the ORM needs to write it.
        newest = Submission.objects.raw(
            "SELECT id, created_at, turn_at FROM leads_submission"
            " WHERE client = %s ORDER BY created_at DESC LIMIT 1",
            [client],
        )
        for row in newest:
            self.last_turn = row.turn_at
            if self._is_recent(row.created_at):
                return self._seconds_beside(Submission.objects.filter(client=client))
        return 0

    def _seconds_beside(self, rows: QuerySet[Submission]) -> int:
        now, place = timezone.now(), self.num_requests - 1
        recent = rows.filter(created_at__range=(now - self._unit, now + self._unit))
        times = recent.order_by("-created_at").values_list("created_at", flat=True)
        for full_since in times[place : place + 1]:
            left = full_since + self._unit - now
            return min(math.ceil(left.total_seconds()), self.duration)
        return 0

    def _is_recent(self, moment: datetime) -> bool:
        return moment > timezone.now() - self._unit

    @property
    def _unit(self) -> timedelta:
        return timedelta(seconds=self.duration)


class PersonLimit(SimpleRateThrottle):
    """``PERSON_THROTTLE``: how many forms name one e-mail or phone, whoever sends them.

    Remembered by each process for itself. What identifies nobody (a switchboard, an agency's
    address) has no limit.
    """

    num_requests: int
    duration: int  # of the rate's unit, in seconds
    # Never the cache of the settings: what is shared between processes may be down.
    cache = LocMemCache("people", {"OPTIONS": {"MAX_ENTRIES": MOST_PEOPLE}})
    _lock = threading.Lock()  # the history is read, then written: one thread at a time

    def get_rate(self) -> str:
        """As the settings say."""
        return conf.current().person_throttle

    def seconds_until(self, named: Collection[IdentityKey]) -> int:
        """Whole seconds until a form that names these may be taken; 0: now."""
        histories = {key: self._history(key) for key in named}
        full = {key for key, times in histories.items() if len(times) >= self.num_requests}
        people = _identifying(full) if full else ()
        ends = (histories[key][-self.num_requests] + self.duration for key in people)
        return max((max(math.ceil(end - monotonic()), 0) for end in ends), default=0)

    def count(self, named: Collection[IdentityKey]) -> None:
        """A form that names these was accepted."""
        with self._lock:
            for key in named:
                history = [*self._history(key), monotonic()]
                self.cache.set(key.value, history[-self.num_requests :], self.duration)

    def _history(self, key: IdentityKey) -> list[float]:
        """When forms named it, the oldest first."""
        since = monotonic() - self.duration
        return [at for at in self.cache.get(key.value, []) if at > since]


def _identifying(named: Collection[IdentityKey]) -> frozenset[IdentityKey]:
    settings = amocrm_conf.current()
    left = without_ignored(frozenset(named), settings.ignored_identities, settings.phone_region)
    return ledger.identifying(settings.account, left)
