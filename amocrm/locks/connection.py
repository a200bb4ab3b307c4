"""The way to the two Redis databases: locks through the cache backend, history beside it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol, cast

from django.conf import settings
from django.core.cache import caches
from django_redis.exceptions import ConnectionInterrupted
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis_lock import Lock

from amocrm import conf

CACHE_ALIAS = "locks"
HISTORY_TIMEOUT = 0.3
PROBE_TIMEOUT = 1.0

# Whatever an unwell Redis makes of a call. The cache backend turns a client it cannot
# build into NotImplementedError.
REDIS_ERRORS: tuple[type[Exception], ...] = (
    RedisError,
    ConnectionInterrupted,
    OSError,
    NotImplementedError,
)


class RedisLock(Protocol):
    """The part of ``redis_lock.Lock`` that we use."""

    def acquire(self, blocking: bool = True, timeout: int | None = None) -> bool: ...
    def extend(self, expire: int | None = None) -> None: ...
    def release(self) -> None: ...
    def get_owner_id(self) -> str | None: ...


def lock(name: str, *, value: str, ttl: int) -> RedisLock:
    """A lock of the cache backend, not acquired yet. ``ttl`` is in seconds."""
    backend = cast(Any, caches[CACHE_ALIAS])
    return cast(RedisLock, backend.lock(name, expire=ttl, id=value))


def impatient_lock(name: str, *, value: str) -> RedisLock:
    """The same lock through :func:`probe_client`, for a Redis that has just failed."""
    return cast(RedisLock, Lock(probe_client(), name, id=value))


def locks_client() -> Redis:
    """The client behind the locks' cache, for what its interface does not offer."""
    backend = cast(Any, caches[CACHE_ALIAS])
    return cast(Redis, backend.client.get_client())


def socket_timeout(client: Redis) -> float | None:
    """How long, in seconds, ``client`` waits for any answer; ``None`` for ever."""
    return cast("float | None", client.connection_pool.connection_kwargs.get("socket_timeout"))


def history_client() -> Redis:
    """The client for the history, which lies beside the broker's keys, not among the locks."""
    return quick_client(conf.current().redis_url, HISTORY_TIMEOUT)


def probe_client() -> Redis:
    """A client for the locks' database that gives up soon: for asking how Redis is."""
    return quick_client(settings.CACHES[CACHE_ALIAS]["LOCATION"], PROBE_TIMEOUT)


@lru_cache(maxsize=8)
def quick_client(url: str, timeout: float) -> Redis:
    """A client that waits ``timeout`` seconds for anything and tries nothing twice."""
    return Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
