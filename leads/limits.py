"""How many forms may name one person, whoever sends them.

How many one sender may send is counted elsewhere: leads.api.throttles.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection
from time import monotonic  # the system's clock may be set back

from django.core.cache.backends.locmem import LocMemCache
from rest_framework.throttling import SimpleRateThrottle

from amocrm import conf as amocrm_conf
from amocrm import ledger
from amocrm.identity import IdentityKey, without_ignored
from leads import conf

#: About so many e-mails and phones are remembered.
MOST_PEOPLE = 50_000


class PersonLimit(SimpleRateThrottle):
    """``PERSON_THROTTLE``: forms that name one e-mail or phone.

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
