"""Listing locks: ours only, whatever else lies around them."""

from __future__ import annotations

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from amocrm.locks import inventory
from amocrm.locks.holder import Holder
from amocrm.locks.inventory import as_text, as_value
from amocrm.redis_clients import REDIS_ERRORS
from tests.amocrm.locks.conftest import NAME
from tests.servers import RedisServer


def test_a_lock_is_listed_with_its_holder_and_times(locks_db: redis.Redis) -> None:
    holder = Holder.here("a submission")
    locks_db.set(f"lock:{NAME}", holder.encode(), px=30_000)
    (row,) = inventory.list_locks()
    assert (row.name, row.holder, row.holder_id) == (NAME, holder, holder.encode())
    assert row.ttl_ms is not None
    assert 29_000 < row.ttl_ms <= 30_000
    assert row.held_ms is not None
    assert 0 <= row.held_ms < 5_000


def test_only_locks_of_leads_are_listed(locks_db: redis.Redis) -> None:
    for key in (
        "lock:celery",
        "lock:amocrm:token",
        f"lock-signal:{NAME}",
        "amocrm:lead:a@b.kz:7",
        "lock:amocrm:lead:",
        "prefix:lock:amocrm:lead:a@b.kz:7",
    ):
        locks_db.set(key, "x")
    assert inventory.list_locks() == []
    assert inventory.count() == 0
    assert inventory.read_locks(["celery", "amocrm:token"]) == []


def test_a_lock_without_a_time_to_live_is_listed_as_such(locks_db: redis.Redis) -> None:
    locks_db.set(f"lock:{NAME}", "x")
    assert inventory.list_locks()[0].ttl_ms is None


def test_a_foreign_value_and_a_foreign_type_are_listed_without_a_holder(
    locks_db: redis.Redis,
) -> None:
    locks_db.set("lock:amocrm:lead:a", b"\xff\xfe")
    locks_db.rpush("lock:amocrm:lead:b", "not a string")
    rows = inventory.list_locks()
    assert [(row.name, row.holder, row.held_ms) for row in rows] == [
        ("amocrm:lead:a", None, None),
        ("amocrm:lead:b", None, None),
    ]


def test_every_lock_is_listed_once_over_many_scans(locks_db: redis.Redis) -> None:
    names = {f"amocrm:lead:p{at}@b.kz:{at}" for at in range(2_500)}
    locks_db.mset({f"lock:{name}": "x" for name in names})
    rows = inventory.list_locks()
    assert len(rows) == len(names) == inventory.count()
    assert {row.name for row in rows} == names
    assert [row.name for row in rows] == sorted(names)


def test_keys_is_never_called(locks_db: redis.Redis) -> None:
    locks_db.set(f"lock:{NAME}", "x")
    locks_db.config_resetstat()
    inventory.list_locks()
    commands = set(locks_db.info("commandstats"))
    assert "cmdstat_scan" in commands
    assert "cmdstat_keys" not in commands


def test_without_redis_listing_fails_loudly(redis_server: RedisServer) -> None:
    redis_server.stop()
    with pytest.raises(REDIS_ERRORS):
        inventory.list_locks()


@given(st.binary(max_size=60))
def test_any_value_survives_as_text(value: bytes) -> None:
    text = as_text(value)
    assert text.isascii()
    assert text.isprintable()
    assert as_value(text) == value
