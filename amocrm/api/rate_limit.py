"""One pace of requests for all processes, counted in Redis by its own clock.

``AMOCRM_MAX_RPS`` is the sustained pace, and no second holds more than the seven requests that
amoCRM allows an integration before it blocks it (amocrm.ru/developers, "Ограничения").

Every request gets a *slot*, an interval after the slot of the request before it. Whoever asks is
told at once how long to wait for his, in one round trip, and is served in that order; whoever
would have to wait too long takes none. A slot may lie up to ``CATCH_UP`` in the past, so whoever
comes a moment late keeps the pace; earlier ones that nobody asked for are lost.

*Why that is never more than seven.* Eight slots span at least seven intervals. A request is
counted some time after its slot: up to ``CATCH_UP`` because it was asked for late, up to
``FRESH_FOR`` until it leaves, and ``NETWORK_JITTER`` because some travel longer than others. Eight
cannot be counted within a second if seven intervals are at least 1 s and these three together. At
``FASTEST``, 6 a second, seven intervals are 1.167 s: a permit's 0.1 s leave 0.067 s to the network
and nothing to catch up. At 7 they are 1 s, and one request that is a millisecond late makes eight:
from 6 to 7 the pace stays 6. (More than 7 is for the sandbox alone; the settings refuse it for a
real account.)

A Redis that comes back empty lets one request through too early, and no more: eight slots span six
intervals then, which at a pace of 5 are still 1.2 s.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache

from amocrm import conf
from amocrm.api.slots import LONGEST_WAIT, OwnSlots, SharedSlots, Slots
from amocrm.errors import ComeBack, LockUnavailable
from amocrm.redis_clients import REDIS_ERRORS, requests_client

CAP = 7  # requests that amoCRM allows in any second
FASTEST = 6.0  # requests a second for as long as one likes, with never more than those seven
# Seconds.
FRESH_FOR = 0.1
NETWORK_JITTER = CAP / FASTEST - 1 - FRESH_FOR
CATCH_UP = 0.05


@dataclass(frozen=True)
class Permit:
    """The right to send one request, now. ``taken_at``: its slot, or when it was asked for if
    that was later, in monotonic seconds."""

    taken_at: float = field(default_factory=time.monotonic)

    @property
    def is_fresh(self) -> bool:
        """Whether a request sent now still counts as sent in its slot."""
        return time.monotonic() - self.taken_at < FRESH_FOR


class Limiter:
    """Waits until one more request may be sent. Any number of threads may share one."""

    def __init__(self, slots: Slots, max_rps: float) -> None:
        self._slots = slots
        self.max_rps = max_rps
        self.interval, self.catch_up = pace(max_rps)

    def acquire(self, max_wait: float) -> Permit:
        """Wait for a permit, for at most ``max_wait`` seconds (0: not at all; never longer than
        a minute).

        Raises :class:`~amocrm.errors.ComeBack`, without waiting, when none will be free in time
        and :class:`~amocrm.errors.LockUnavailable` when Redis does not answer.
        """
        asked_at = time.monotonic()
        try:
            wait = self._slots.reserve(
                interval=self.interval,
                catch_up=self.catch_up,
                max_wait=min(max_wait, LONGEST_WAIT),
            )
        except REDIS_ERRORS as error:
            raise _unavailable(error) from error
        if wait is None:
            raise ComeBack("too many requests are waiting for amoCRM")
        # From the answer on, so that nobody is early; the permit's age from the question on,
        # because the answer may have taken its time.
        time.sleep(wait)
        return Permit(asked_at + wait)

    def last_second(self) -> int:
        """How many requests were let through in the last second.

        Raises :class:`~amocrm.errors.LockUnavailable` when Redis does not answer.
        """
        try:
            return self._slots.last_second()
        except REDIS_ERRORS as error:
            raise _unavailable(error) from error


def pace(max_rps: float) -> tuple[float, float]:
    """The seconds between two slots, and those that may be caught up: see the module."""
    if max_rps > CAP:
        return 1 / max_rps, CATCH_UP
    interval = 1 / min(max_rps, FASTEST)
    spare = CAP * interval - 1 - FRESH_FOR - NETWORK_JITTER
    return interval, min(CATCH_UP, max(0.0, spare))


def for_account(settings: conf.AmoSettings) -> Limiter:
    """The limiter of the configured account: shared over Redis, or with
    ``REDIS_ENABLED=false`` this process's own."""
    account = settings.account
    slots = _shared(settings.redis_url, account) if settings.redis_enabled else _own(account)
    return Limiter(slots, settings.max_rps)


def usage() -> tuple[int, float]:
    """Requests in the last second, and the limit. Raises
    :class:`~amocrm.errors.LockUnavailable`."""
    limiter = for_account(conf.current())
    return limiter.last_second(), limiter.max_rps


def _unavailable(error: Exception) -> LockUnavailable:
    return LockUnavailable(f"Redis does not answer, so nothing is delivered: {error}")


@lru_cache(maxsize=4)
def _shared(url: str, account: str) -> Slots:
    return SharedSlots(requests_client(url), f"amocrm:requests:{account}")


@lru_cache(maxsize=4)
def _own(account: str) -> Slots:
    return OwnSlots()
