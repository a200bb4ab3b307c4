"""The clients of the two Redis databases, and what an unwell Redis makes of a call.

``REDIS_URL`` holds the broker's keys, the locks' history and the count of requests;
``REDIS_LOCKS_URL`` the locks alone. Whoever takes a lock uses the client of the cache backend
(:func:`amocrm.locks.connection.locks_client`); all others one from here, which gives up soon.
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django_redis.exceptions import ConnectionInterrupted
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from amocrm import conf

LOCKS_CACHE = "locks"

# Seconds for connecting and for any answer.
HISTORY_TIMEOUT = 0.3  # a delivery must not wait for its history
PROBE_TIMEOUT = 1.0  # somebody looks at the page meanwhile
REQUESTS_TIMEOUT = 2.0  # nothing is sent without an answer, so a busy Redis gets some time

# NotImplementedError: redis_lock.django_cache raises it for whatever keeps it from its client.
REDIS_ERRORS: tuple[type[Exception], ...] = (
    RedisError,
    ConnectionInterrupted,
    OSError,
    NotImplementedError,
)


def history_client() -> Redis:
    """The client for the locks' history: beside the broker's keys, not among the locks."""
    return quick_client(conf.current().redis_url, HISTORY_TIMEOUT)


def probe_client() -> Redis:
    """A client for the locks' database that gives up soon: for asking how Redis is."""
    return quick_client(settings.CACHES[LOCKS_CACHE]["LOCATION"], PROBE_TIMEOUT)


def requests_client(url: str) -> Redis:
    """The client for the count of requests, in the broker's database at ``url``."""
    return quick_client(url, REQUESTS_TIMEOUT)


@lru_cache(maxsize=8)
def quick_client(url: str, timeout: float) -> Redis:
    """A client that waits ``timeout`` seconds for anything and tries nothing twice."""
    return Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
