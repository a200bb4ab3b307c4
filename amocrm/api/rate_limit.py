"""One limit of requests per second for all processes, over Redis.

amoCRM allows 7 requests a second for an integration and blocks who keeps exceeding that
(amocrm.ru/developers, "Ограничения"). The counting is pyrate-limiter's. Its script is run with
the clock of the Redis server, read inside it: the clocks of several machines differ, and a
process may stall between reading a clock and taking a place.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, cast

from pyrate_limiter import InMemoryBucket, Rate, RateItem
from pyrate_limiter.buckets import RedisBucket
from pyrate_limiter.buckets.redis_bucket import LuaScript
from redis.exceptions import NoScriptError

from amocrm import conf
from amocrm.errors import ComeBack, LockUnavailable
from amocrm.redis_clients import REDIS_ERRORS, requests_client

# Requests that leave a second apart may arrive closer together. So the window is longer than
# the second that amoCRM counts: by the time for which a place is good, and some for the network.
WINDOW_MS = 1200
FRESH_FOR = 0.1

_SERVER_CLOCK = """
local given = ARGV
local ARGV = {}
for i, value in ipairs(given) do ARGV[i] = value end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local late = now - ARGV[1]
ARGV[1] = now
for i = 5, #ARGV, 3 do ARGV[i] = ARGV[i] + late end
"""
_SCRIPT = _SERVER_CLOCK + LuaScript.PUT_ITEM


class _Bucket(Protocol):
    """The part of pyrate-limiter's buckets that we use, and what the last second held."""

    def now(self) -> int: ...
    def put(self, item: RateItem) -> bool: ...
    def waiting(self, item: RateItem) -> int: ...
    def leak(self, current_timestamp: int) -> int: ...
    def taken_since(self, timestamp: int) -> int: ...


class _SharedBucket(RedisBucket):
    """Counts in Redis. Nothing is left behind there by an account that is not asked any more."""

    def now(self) -> int:
        seconds, microseconds = cast("tuple[int, int]", self.redis.time())
        return seconds * 1000 + microseconds // 1000

    def put(self, item: RateItem) -> bool:
        try:
            return cast(bool, super().put(item))
        except NoScriptError:  # Redis was restarted, or its scripts were flushed
            self.script_hash = cast(str, self.redis.script_load(_SCRIPT))
            return cast(bool, super().put(item))

    def leak(self, current_timestamp: int | None = None) -> int:
        left = cast(int, super().leak(current_timestamp))
        self.redis.pexpire(self.bucket_key, 2 * self.rates[-1].interval)
        return left

    def taken_since(self, timestamp: int) -> int:
        return cast(int, self.redis.zcount(self.bucket_key, timestamp, "+inf"))


class _OwnBucket(InMemoryBucket):
    """Counts in the memory of this process."""

    def taken_since(self, timestamp: int) -> int:
        with self._lock:
            return sum(item.timestamp >= timestamp for item in self.items)


@dataclass(frozen=True)
class Permit:
    """The right to send one request, now. Monotonic seconds."""

    taken_at: float = field(default_factory=time.monotonic)

    @property
    def is_fresh(self) -> bool:
        """Whether a request sent now still counts as sent when the place was taken."""
        return time.monotonic() - self.taken_at < FRESH_FOR


class Limiter:
    """Waits until one more request may be sent. Any number of threads may share one."""

    def __init__(self, bucket: _Bucket, max_rps: float) -> None:
        self._bucket = bucket
        self.max_rps = max_rps

    def wait(self, max_wait: float) -> Permit:
        """Take a place, waiting for one for at most ``max_wait`` seconds (0: not at all).

        Raises :class:`~amocrm.errors.ComeBack` when none got free in time and
        :class:`~amocrm.errors.LockUnavailable` when Redis does not answer.
        """
        ends_at = time.monotonic() + max_wait
        while True:
            # From before the first command on: each of them may take its time.
            permit = Permit()
            wait_for = self._take()
            if not wait_for:
                return permit
            if time.monotonic() + wait_for > ends_at:
                raise ComeBack("too many requests are waiting for amoCRM")
            time.sleep(wait_for)

    def _take(self) -> float:
        """Take a place if there is one: 0, else the seconds until it is worth asking again."""
        try:
            item = RateItem("request", self._bucket.now())
            if self._bucket.put(item):
                self._bucket.leak(item.timestamp)
                return 0
            wait_ms = self._bucket.waiting(item)
        except REDIS_ERRORS as error:
            raise _unavailable(error) from error
        # Never longer than a window: the server's clock may have been set back meanwhile.
        return min(max(wait_ms, 1), _window_ms(self.max_rps)) / 1000

    def last_second(self) -> int:
        """How many requests were let through in the last second; raises like :meth:`wait`."""
        try:
            return self._bucket.taken_since(self._bucket.now() - 1000)
        except REDIS_ERRORS as error:
            raise _unavailable(error) from error


def for_account(settings: conf.AmoSettings) -> Limiter:
    """The limiter of the configured account: shared over Redis, or with
    ``REDIS_ENABLED=false`` this process's own."""
    bucket = (
        _shared_bucket(settings.redis_url, settings.account, settings.max_rps)
        if settings.redis_enabled
        else _own_bucket(settings.account, settings.max_rps)
    )
    return Limiter(bucket, settings.max_rps)


def usage() -> tuple[int, float]:
    """Requests in the last second, and the limit. Raises
    :class:`~amocrm.errors.LockUnavailable`."""
    limiter = for_account(conf.current())
    return limiter.last_second(), limiter.max_rps


def _unavailable(error: Exception) -> LockUnavailable:
    return LockUnavailable(f"Redis does not answer, so nothing is delivered: {error}")


def _window_ms(max_rps: float) -> int:
    return WINDOW_MS if max_rps >= 1 else round(WINDOW_MS / max_rps)


def _rates(max_rps: float) -> list[Rate]:
    return [Rate(max(1, int(max_rps)), _window_ms(max_rps))]


@lru_cache(maxsize=4)
def _shared_bucket(url: str, account: str, max_rps: float) -> _Bucket:
    client: Any = requests_client(url)
    # The script is loaded when Redis first says that it does not know it.
    bucket = _SharedBucket(_rates(max_rps), client, f"amocrm:requests:{account}", "0" * 40)
    return cast(_Bucket, bucket)


@lru_cache(maxsize=4)
def _own_bucket(account: str, max_rps: float) -> _Bucket:
    return cast(_Bucket, _OwnBucket(_rates(max_rps)))
