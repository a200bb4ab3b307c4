"""Where the slots of an account's requests are counted: in Redis, or in this process.

Both keep one rule: a slot is an interval after the last one, and never more than a moment ago.
:mod:`amocrm.api.rate_limit` says why. Seconds, where nothing else is said.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Protocol, cast

from redis import Redis

# Nobody waits longer, so a slot further ahead was given before the server's clock was set back.
LONGEST_WAIT = 60.0

_MICROSECONDS = 1_000_000
_REFUSED = -1

# The slots of the last second and those to come, as members and scores: microseconds of this
# server's clock, because the clocks of several machines differ, and a process may stall between
# reading its own and being heard here.
_RESERVE = """
local interval, catch_up = tonumber(ARGV[1]), tonumber(ARGV[2])
local max_wait, longest_wait = tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local last = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1)[1])
if last and last - now > longest_wait then  -- the clock was set back
    redis.call('DEL', KEYS[1])
    last = nil
end
local slot = last and math.max(last + interval, now - catch_up) or now
local wait = math.max(slot - now, 0)
if wait > max_wait then return -1 end

local text = string.format('%.0f', slot)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - 1000000))
redis.call('ZADD', KEYS[1], text, text)
redis.call('PEXPIRE', KEYS[1], math.ceil((wait + math.max(interval, 1000000)) / 1000))
return wait
"""


class Slots(Protocol):
    """The slots of one account."""

    def reserve(self, *, interval: float, catch_up: float, max_wait: float) -> float | None:
        """Take the next slot: the seconds until it comes, ``None`` if more than ``max_wait``."""

    def last_second(self) -> int:
        """How many slots there were in the last second."""


class SharedSlots:
    """Counted in Redis. Nothing stays there of an account that is not asked any more."""

    def __init__(self, client: Redis, key: str) -> None:
        self._client = client
        self._key = key
        self._script = client.register_script(_RESERVE)  # sent only to a server that lacks it

    def reserve(self, *, interval: float, catch_up: float, max_wait: float) -> float | None:
        """As :class:`Slots`; raises one of ``REDIS_ERRORS``."""
        times = (interval, catch_up, max_wait, LONGEST_WAIT)
        args = [round(seconds * _MICROSECONDS) for seconds in times]
        wait = cast(int, self._script(keys=[self._key], args=args))
        return None if wait == _REFUSED else wait / _MICROSECONDS

    def last_second(self) -> int:
        """As :class:`Slots`; raises one of ``REDIS_ERRORS``."""
        seconds, microseconds = self._client.time()
        now = seconds * _MICROSECONDS + microseconds
        return self._client.zcount(self._key, f"({now - _MICROSECONDS}", now)


class OwnSlots:
    """Counted in the memory of this process, by the same rule."""

    def __init__(self) -> None:
        self._slots: deque[float] = deque()
        self._lock = threading.Lock()

    def reserve(self, *, interval: float, catch_up: float, max_wait: float) -> float | None:
        """As :class:`Slots`."""
        with self._lock:
            now = time.monotonic()
            slot = max(self._slots[-1] + interval, now - catch_up) if self._slots else now
            wait = max(slot - now, 0.0)
            if wait > max_wait:
                return None
            while self._slots and self._slots[0] <= now - 1:
                self._slots.popleft()
            self._slots.append(slot)
            return wait

    def last_second(self) -> int:
        """As :class:`Slots`."""
        with self._lock:
            now = time.monotonic()
            return sum(now - 1 < slot <= now for slot in self._slots)
