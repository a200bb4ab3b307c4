"""Whether Redis can be relied on."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
from pytest_django.fixtures import Settings

from amocrm.locks import health
from tests.servers import RedisServer


@pytest.fixture
def configured(locks_db: redis.Redis) -> Iterator[redis.Redis]:
    """A client whose changes of the server's configuration are undone."""
    yield locks_db
    locks_db.config_set("maxmemory-policy", "noeviction")
    locks_db.config_set("maxmemory", "0")
    locks_db.replicaof("no", "one")


def test_a_healthy_redis_is_connected_and_available() -> None:
    assert health.check() == health.Health(enabled=True, connected=True, available=True)


def test_a_redis_that_tells_nothing_of_itself_is_available(
    redis_server: RedisServer, configured: redis.Redis
) -> None:
    configured.acl_setuser("default", enabled=True, commands=["-info"])
    try:
        assert health.check() == health.Health(enabled=True, connected=True, available=True)
    finally:
        configured.acl_setuser("default", enabled=True, commands=["+info"])


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_an_evicting_policy_is_warned_about(configured: redis.Redis, policy: str) -> None:
    configured.config_set("maxmemory-policy", policy)
    assert health.check().evicts == policy


def test_a_redis_that_takes_no_writes_is_connected_but_not_available(
    configured: redis.Redis,
) -> None:
    configured.config_set("maxmemory", "1")
    found = health.check()
    assert (found.connected, found.available) == (True, False)
    assert "maxmemory" in found.trouble


def test_a_replica_is_connected_but_not_available(configured: redis.Redis) -> None:
    configured.replicaof("127.0.0.1", "1")
    found = health.check()
    assert (found.connected, found.available) == (True, False)


def test_a_stopped_redis_is_neither(redis_server: RedisServer) -> None:
    redis_server.stop()
    found = health.check()
    assert (found.enabled, found.connected, found.available) == (True, False, False)
    assert found.trouble


def test_a_frozen_redis_is_noticed_within_seconds(redis_server: RedisServer) -> None:
    redis_server.pause()
    started = time.monotonic()
    assert not health.check().connected
    assert time.monotonic() - started < 15


def test_with_redis_disabled_nobody_asks(settings: Settings, redis_server: RedisServer) -> None:
    settings.REDIS_ENABLED = False
    redis_server.stop()
    assert health.check() == health.Health(enabled=False)
