"""Clearing: what was seen, nothing else, and the waiters are woken."""

from __future__ import annotations

import pytest
import redis

from amocrm import counters
from amocrm.locks import clearing, history, inventory
from amocrm.locks.clearing import ClearResult
from amocrm.locks.history import Kind
from amocrm.locks.inventory import LockRow
from tests.amocrm.locks.conftest import NAME

pytestmark = pytest.mark.django_db


def results(rows: list[LockRow]) -> list[ClearResult]:
    """Clear these and say what became of each."""
    return [one.result for one in clearing.clear(rows, by="olga", why="stuck")]


def test_a_cleared_lock_is_gone_and_its_waiters_are_signalled(locks_db: redis.Redis) -> None:
    locks_db.set(f"lock:{NAME}", "somebody")
    assert results(inventory.list_locks()) == [ClearResult.CLEARED]
    assert locks_db.exists(f"lock:{NAME}") == 0
    assert locks_db.llen(f"lock-signal:{NAME}") == 1
    assert 0 < int(str(locks_db.pttl(f"lock-signal:{NAME}"))) <= 1000


def test_a_lock_that_changed_hands_is_left(locks_db: redis.Redis) -> None:
    locks_db.set(f"lock:{NAME}", "the one that was seen")
    seen = inventory.list_locks()
    locks_db.set(f"lock:{NAME}", "the next one")
    assert results(seen) == [ClearResult.CHANGED]
    assert locks_db.get(f"lock:{NAME}") == b"the next one"
    assert locks_db.exists(f"lock-signal:{NAME}") == 0
    assert history.latest(10) == []
    assert counters.totals()[counters.Event.LOCK_CLEARED] == 0


def test_a_lock_that_is_gone_already_is_reported_as_missing(locks_db: redis.Redis) -> None:
    locks_db.set(f"lock:{NAME}", "somebody")
    seen = inventory.list_locks()
    locks_db.delete(f"lock:{NAME}")
    assert results(seen) == [ClearResult.MISSING]
    assert locks_db.dbsize() == 0


def test_a_value_of_odd_bytes_can_be_cleared(locks_db: redis.Redis) -> None:
    locks_db.set(f"lock:{NAME}", b"\xff\x00\xfe")
    assert results(inventory.list_locks()) == [ClearResult.CLEARED]


def test_something_else_under_our_name_is_left(locks_db: redis.Redis) -> None:
    locks_db.rpush(f"lock:{NAME}", "a list")
    assert results(inventory.list_locks()) == [ClearResult.NOT_A_LOCK]
    assert locks_db.exists(f"lock:{NAME}") == 1


def test_foreign_keys_are_never_touched(locks_db: redis.Redis) -> None:
    foreign = {"lock:celery": "a", "lock:amocrm:token": "b", "amocrm:lead:x": "c", "other": "d"}
    locks_db.mset(foreign)
    locks_db.set(f"lock:{NAME}", "ours")
    assert results(inventory.list_locks()) == [ClearResult.CLEARED]
    assert {key: locks_db.get(key) for key in foreign} == {
        key: value.encode() for key, value in foreign.items()
    }


def test_a_foreign_name_is_refused_before_anything_is_cleared(locks_db: redis.Redis) -> None:
    locks_db.mset({f"lock:{NAME}": "ours", "lock:celery": "theirs"})
    (ours,) = inventory.list_locks()
    theirs = LockRow(name="celery", holder_id="theirs", holder=None, ttl_ms=None, held_ms=None)
    with pytest.raises(ValueError, match="celery"):
        clearing.clear([ours, theirs], by="olga", why="stuck")
    assert locks_db.mget(f"lock:{NAME}", "lock:celery") == [b"ours", b"theirs"]


def test_who_cleared_and_why_is_remembered_and_counted(locks_db: redis.Redis) -> None:
    locks_db.mset({"lock:amocrm:lead:a": "x", "lock:amocrm:lead:b": "y"})
    clearing.clear(inventory.list_locks(), by="olga", why="the worker died")
    remembered = {(e.kind, e.name, e.holder_id, e.by, e.why) for e in history.latest(10)}
    assert remembered == {
        (Kind.CLEARED, "amocrm:lead:a", "x", "olga", "the worker died"),
        (Kind.CLEARED, "amocrm:lead:b", "y", "olga", "the worker died"),
    }
    assert counters.totals()[counters.Event.LOCK_CLEARED] == 2


def test_many_locks_are_cleared_in_several_rounds(locks_db: redis.Redis) -> None:
    locks_db.mset({f"lock:amocrm:lead:p{at}": "x" for at in range(1_201)})
    assert results(inventory.list_locks()) == [ClearResult.CLEARED] * 1_201
    assert inventory.list_locks() == []
