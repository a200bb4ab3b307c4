"""The locks of python-redis-lock, through its cache backend, and the client behind them.

One ``GET`` of each acquisition could be saved: the library asks whether this id holds the lock
already. But it keeps its scripts on the class that is made first, so a class derived from its own
would leave the other without them.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from django.core.cache import caches
from redis import Redis
from redis_lock import Lock

from amocrm.redis_clients import LOCKS_CACHE, probe_client


class RedisLock(Protocol):
    """The part of ``redis_lock.Lock`` that we use."""

    def acquire(self, blocking: bool = True, timeout: int | None = None) -> bool: ...
    def extend(self, expire: int | None = None) -> None: ...
    def release(self) -> None: ...
    def get_owner_id(self) -> str | None: ...


def lock(name: str, *, value: str, ttl: int) -> RedisLock:
    """A lock of the cache backend, not acquired yet. ``ttl`` is in seconds."""
    backend = cast(Any, caches[LOCKS_CACHE])
    return cast(RedisLock, backend.lock(name, expire=ttl, id=value))


def impatient_lock(name: str, *, value: str) -> RedisLock:
    """The same lock through the probing client, for a Redis that has just failed."""
    return cast(RedisLock, Lock(probe_client(), name, id=value))


def locks_client() -> Redis:
    """The client behind the locks' cache, for what its interface does not offer."""
    backend = cast(Any, caches[LOCKS_CACHE])
    return cast(Redis, backend.client.get_client())


def socket_timeout(client: Redis) -> float | None:
    """How long, in seconds, ``client`` waits for any answer; ``None`` for ever."""
    return cast("float | None", client.connection_pool.connection_kwargs.get("socket_timeout"))
