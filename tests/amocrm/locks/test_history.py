"""The history: capped, best effort, newest first."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from amocrm.locks import history, stats
from amocrm.locks.history import Kind, LockEvent
from amocrm.redis_clients import REDIS_ERRORS
from tests.servers import RedisServer


def test_the_newest_event_comes_first_with_everything_it_said() -> None:
    history.record(Kind.ACQUIRED, "amocrm:lead:a", holder_id="h", reference="r", waited_ms=12)
    history.record(Kind.RELEASED, "amocrm:lead:a", holder_id="h", reference="r", held_ms=0)
    newest, oldest = history.latest(10)
    assert (newest.kind, newest.held_ms, newest.waited_ms) == (Kind.RELEASED, 0, None)
    assert (oldest.kind, oldest.held_ms, oldest.waited_ms) == (Kind.ACQUIRED, None, 12)
    assert (oldest.name, oldest.holder_id, oldest.reference) == ("amocrm:lead:a", "h", "r")
    assert abs(datetime.now(UTC) - oldest.at) < timedelta(minutes=1)


def test_events_lie_beside_the_broker_and_not_among_the_locks(redis_server: RedisServer) -> None:
    history.record(Kind.BUSY, "amocrm:lead:a")
    assert redis_server.client(0).xlen(history.STREAM) == 1
    assert redis_server.client(1).dbsize() == 0


def test_the_stream_is_capped(monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer) -> None:
    monkeypatch.setattr(history, "CAPACITY", 200)
    for _ in range(10):
        history.record_cleared([("amocrm:lead:a", "h", None)] * 100, by="olga", why="w")
    assert 200 <= int(str(redis_server.client(0).xlen(history.STREAM))) < 500


def test_a_filter_looks_beyond_the_newest() -> None:
    history.record(Kind.BUSY, "amocrm:lead:rare")
    for _ in range(12):
        history.record_cleared([("amocrm:lead:often", "h", None)] * 100, by="olga", why="w")
    found = history.latest(5, lambda event: event.name == "amocrm:lead:rare")
    assert [event.name for event in found] == ["amocrm:lead:rare"]
    assert len(history.latest(5)) == 5


def test_entries_of_others_are_passed_over(redis_server: RedisServer) -> None:
    client = redis_server.client(0)
    client.xadd(history.STREAM, {"what": "is this"})
    client.xadd(history.STREAM, {"kind": "acquired", "name": "n", "waited_ms": "long"})
    history.record(Kind.BUSY, "amocrm:lead:a")
    assert len(history.latest(10)) == 1


def test_without_redis_writing_is_silent_and_reading_is_not(redis_server: RedisServer) -> None:
    redis_server.stop()
    history.record(Kind.BUSY, "amocrm:lead:a")
    with pytest.raises(REDIS_ERRORS):
        history.latest(1)


def test_a_frozen_redis_is_asked_once_and_then_left_alone(redis_server: RedisServer) -> None:
    redis_server.pause()
    started = time.monotonic()
    for _ in range(50):
        history.record(Kind.BUSY, "amocrm:lead:a")
    assert time.monotonic() - started < 15


def test_minutes_gather_waiting_and_holding() -> None:
    first = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

    def event(seconds: float, kind: Kind, **figures: Any) -> LockEvent:
        at = first + timedelta(seconds=seconds)
        return LockEvent("1-0", at, kind, "n", "h", "r", **figures)

    minutes = stats.by_minute(
        [
            event(-1, Kind.BUSY, waited_ms=9),
            event(0, Kind.ACQUIRED, waited_ms=5),
            event(59.9, Kind.RELEASED, held_ms=7),
            event(60, Kind.BUSY, waited_ms=2000),
            event(3599, Kind.RELEASED, held_ms=8),
            event(3600, Kind.RELEASED, held_ms=1),
        ],
        first,
    )
    assert len(minutes) == stats.MINUTES == 60
    assert (minutes[0].waited_ms, minutes[0].held_ms) == ([5], [7])
    assert (minutes[1].waited_ms, minutes[1].held_ms) == ([2000], [])
    assert (minutes[59].waited_ms, minutes[59].held_ms) == ([], [8])


def test_the_last_hour_ends_with_the_current_minute() -> None:
    history.record(Kind.ACQUIRED, "amocrm:lead:a", waited_ms=40)
    minutes = stats.last_hour()
    assert [minute.waited_ms for minute in minutes if minute.waited_ms] == [[40]]
    assert any(minute.waited_ms for minute in minutes[-2:])


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_survives_the_stream(kind: Kind, locks_db: redis.Redis) -> None:
    history.record(kind, "amocrm:lead:тест", by="ольга", why="причина\nдве строки")
    (event,) = history.latest(1)
    assert (event.kind, event.name) == (kind, "amocrm:lead:тест")
    assert (event.by, event.why) == ("ольга", "причина\nдве строки")
