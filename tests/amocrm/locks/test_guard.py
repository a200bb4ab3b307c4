"""Taking a lock, keeping it, losing it, letting it go."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.db import connections
from pytest_django.fixtures import Settings

from amocrm import counters
from amocrm.errors import LockBusy, LockLost, LockUnavailable
from amocrm.locks import clearing, connection, guard, history, inventory
from amocrm.locks.guard import HeldLock, hold
from amocrm.locks.history import Kind
from tests.amocrm.locks.conftest import NAME
from tests.round_trips import round_trips
from tests.servers import RedisServer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

KEY = f"lock:{NAME}"


def kinds() -> list[Kind]:
    """What the history says, oldest first."""
    return [event.kind for event in reversed(history.latest(100))]


def count(event: counters.Event) -> int:
    """How often it was counted today."""
    return counters.totals()[event]


def test_a_held_lock_is_in_redis_with_a_time_to_live_and_gone_afterwards(
    locks_db: redis.Redis, settings: Settings
) -> None:
    with hold(NAME, reference="a submission") as held:
        assert locks_db.get(KEY) == held.holder.encode().encode()
        assert 0 < int(str(locks_db.pttl(KEY))) <= settings.LOCK_TTL * 1000
        assert held.holder.reference == "a submission"
    assert locks_db.exists(KEY) == 0
    assert kinds() == [Kind.ACQUIRED, Kind.RELEASED]


def test_a_lock_costs_three_round_trips_and_its_history_two() -> None:
    with hold(NAME, reference="connections and scripts are there now") as held:
        held.extend()
    with round_trips() as seen, hold(NAME, reference="r") as held:
        # The library asks first whether this id holds the lock already.
        assert seen == {"GET": 1, "SET": 1, "XADD": 1}
        held.extend()
        assert seen == {"GET": 1, "SET": 1, "XADD": 1, "EVALSHA": 1}
    assert seen == {"GET": 1, "SET": 1, "XADD": 2, "EVALSHA": 2}


def test_forty_threads_never_hold_one_lock_together(settings: Settings) -> None:
    settings.LOCK_WAIT = 30
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        try:
            with hold(NAME, reference="one of many"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.005)
                inside -= 1
        finally:
            connections.close_all()

    with ThreadPoolExecutor(40) as pool:
        for future in [pool.submit(work) for _ in range(40)]:
            future.result()
    assert most == 1
    assert count(counters.Event.LOCK_BUSY) == 0


def test_a_lock_that_stays_busy_is_given_up_at_the_deadline(settings: Settings) -> None:
    settings.LOCK_WAIT = 0.6
    with hold(NAME, reference="first"):
        started = time.monotonic()
        with pytest.raises(LockBusy) as caught, hold(NAME, reference="second"):
            pytest.fail("two hold the lock")
        assert 0.6 <= time.monotonic() - started < 10
    assert caught.value.lock_name == NAME
    assert count(counters.Event.LOCK_BUSY) == 1
    assert kinds() == [Kind.ACQUIRED, Kind.BUSY, Kind.RELEASED]


def test_spurious_signals_do_not_move_the_deadline(
    settings: Settings, locks_db: redis.Redis
) -> None:
    settings.LOCK_WAIT = 1
    enough = threading.Event()

    def disturb() -> None:
        while not enough.wait(0.05):
            locks_db.lpush(f"lock-signal:{NAME}", 1)

    with hold(NAME, reference="first"):
        noise = threading.Thread(target=disturb)
        noise.start()
        started = time.monotonic()
        try:
            with pytest.raises(LockBusy), hold(NAME, reference="second"):
                pytest.fail("two hold the lock")
        finally:
            enough.set()
            noise.join()
        assert 1 <= time.monotonic() - started < 10


def test_without_patience_one_look_is_enough(settings: Settings) -> None:
    settings.LOCK_WAIT = 0
    with hold(NAME, reference="first"):
        started = time.monotonic()
        with pytest.raises(LockBusy), hold(NAME, reference="second"):
            pytest.fail("two hold the lock")
        assert time.monotonic() - started < 10


def waiter(waited: list[int]) -> threading.Thread:
    """A thread that waits for the lock and notes for how long."""

    def work() -> None:
        try:
            with hold(NAME, reference="the waiter") as held:
                waited.append(held.waited_ms)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture
def deep_sleepers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiters look again only when they are woken: alone they sleep until their socket fails."""
    settings.LOCK_WAIT = 40
    monkeypatch.setattr(guard, "SLICE", 20.0)
    monkeypatch.setattr(connection, "socket_timeout", lambda client: None)


def somebody_waits(locks_db: redis.Redis) -> None:
    """Return when a waiter sleeps in Redis until it is called."""
    wait_until(lambda: locks_db.info("clients")["blocked_clients"] > 0, "nobody waits")


@pytest.mark.usefixtures("deep_sleepers")
def test_a_release_wakes_the_waiter(locks_db: redis.Redis) -> None:
    waited: list[int] = []
    with hold(NAME, reference="first"):
        thread = waiter(waited)
        somebody_waits(locks_db)
    thread.join()
    assert len(waited) == 1


@pytest.mark.usefixtures("deep_sleepers")
def test_a_clear_wakes_the_waiter(locks_db: redis.Redis) -> None:
    waited: list[int] = []
    with hold(NAME, reference="first") as held:
        thread = waiter(waited)
        somebody_waits(locks_db)
        clearing.clear(inventory.list_locks(), by="olga", why="a test")
        thread.join()
        assert len(waited) == 1
        with pytest.raises(LockLost):
            held.extend()


def test_an_expired_lock_is_taken_over_though_nobody_signals(
    settings: Settings, locks_db: redis.Redis
) -> None:
    locks_db.set(KEY, b"a dead worker", px=700)
    with hold(NAME, reference="heir") as held:
        assert 500 < held.waited_ms < 2000


HOLDING = f"""
import django, time
django.setup()
from amocrm.locks.guard import hold
with hold({NAME!r}, reference="the victim"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_process_stays_until_it_expires_and_is_then_taken(
    process_environment: dict[str, str], settings: Settings
) -> None:
    settings.LOCK_WAIT = 20
    environment = {**process_environment, "AMOCRM_TIMEOUT": "1", "LOCK_TTL": "4"}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING], env=environment, stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "held\n"
        victim.kill()
    (row,) = inventory.list_locks()
    assert row.holder is not None
    assert (row.holder.pid, row.holder.reference) == (victim.pid, "the victim")
    with hold(NAME, reference="the heir") as held:
        assert held.holder.reference == "the heir"
        assert held.waited_ms > 0


def test_extending_restores_the_whole_time_to_live(
    locks_db: redis.Redis, settings: Settings
) -> None:
    with hold(NAME, reference="r") as held:
        locks_db.pexpire(KEY, 5000)
        held.extend()
        assert int(str(locks_db.pttl(KEY))) > (settings.LOCK_TTL - 30) * 1000


@pytest.mark.parametrize("thief", [None, b"somebody else"])
def test_extending_a_lost_lock_stops_the_holder_and_harms_nobody(
    locks_db: redis.Redis, thief: bytes | None
) -> None:
    with hold(NAME, reference="r") as held:
        locks_db.delete(KEY)
        if thief:
            locks_db.set(KEY, thief)
        with pytest.raises(LockLost) as caught:
            held.extend()
        with pytest.raises(LockLost):
            held.extend()
    assert caught.value.lock_name == NAME
    assert locks_db.get(KEY) == thief
    assert count(counters.Event.LOCK_LOST) == 1
    assert kinds() == [Kind.ACQUIRED, Kind.LOST]


def test_a_lock_whose_time_to_live_was_taken_away_counts_as_lost(locks_db: redis.Redis) -> None:
    with hold(NAME, reference="r") as held:
        locks_db.persist(KEY)
        with pytest.raises(LockLost):
            held.extend()


def test_a_lock_that_ran_out_is_told_from_one_that_was_taken(
    settings: Settings, locks_db: redis.Redis
) -> None:
    settings.LOCK_TTL = 1
    with hold(NAME, reference="r") as held:
        time.sleep(1.2)
        assert locks_db.exists(KEY) == 0
        with pytest.raises(LockLost):
            held.extend()
    assert kinds() == [Kind.ACQUIRED, Kind.EXPIRED]


def test_a_lost_lock_does_not_hide_what_the_body_raised(locks_db: redis.Redis) -> None:
    def work() -> None:
        with hold(NAME, reference="r"):
            locks_db.delete(KEY)
            raise KeyError("from the body")

    with pytest.raises(KeyError, match="from the body"):
        work()
    assert count(counters.Event.LOCK_LOST) == 1


def test_a_stopped_redis_does_not_hide_what_the_body_raised(redis_server: RedisServer) -> None:
    def work() -> None:
        with hold(NAME, reference="r"):
            redis_server.kill()
            raise KeyError("from the body")

    with pytest.raises(KeyError, match="from the body"):
        work()


def test_a_lock_found_lost_at_the_end_is_counted_and_the_work_stands(
    locks_db: redis.Redis,
) -> None:
    with hold(NAME, reference="r"):
        locks_db.set(KEY, b"somebody else")
    assert locks_db.get(KEY) == b"somebody else"
    assert count(counters.Event.LOCK_LOST) == 1


def test_without_redis_nobody_gets_a_lock(redis_server: RedisServer) -> None:
    redis_server.stop()
    started = time.monotonic()
    with pytest.raises(LockUnavailable) as caught, hold(NAME, reference="r"):
        pytest.fail("a lock without Redis")
    assert time.monotonic() - started < 10
    assert caught.value.lock_name == NAME


def test_a_frozen_redis_fails_closed_within_seconds(redis_server: RedisServer) -> None:
    client = connection.locks_client()
    timeout = connection.socket_timeout(client)
    assert timeout is not None, "a client without a timeout waits for ever"
    redis_server.pause()
    started = time.monotonic()
    with pytest.raises(LockUnavailable), hold(NAME, reference="r"):
        pytest.fail("a lock from a frozen Redis")
    assert time.monotonic() - started < 2 * timeout + 10


def test_a_redis_that_freezes_under_the_holder_stops_it(redis_server: RedisServer) -> None:
    with hold(NAME, reference="r") as held:
        redis_server.pause()
        with pytest.raises(LockUnavailable):
            held.extend()
        redis_server.resume()
    assert inventory.list_locks() == []


def test_a_lock_set_by_a_command_whose_answer_was_lost_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, locks_db: redis.Redis
) -> None:
    def set_then_lose_the_answer(lock: connection.RedisLock, holder: object) -> bool:
        lock.acquire(blocking=False)
        assert locks_db.exists(KEY) == 1
        raise redis.exceptions.TimeoutError("Timeout reading from socket")

    monkeypatch.setattr(guard, "_try", set_then_lose_the_answer)
    with pytest.raises(LockUnavailable), hold(NAME, reference="r"):
        pytest.fail("a lock that nobody knows of")
    assert locks_db.exists(KEY) == 0


def test_a_command_that_the_client_repeated_is_not_refused_by_its_own_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = connection.lock

    def repeating(name: str, *, value: str, ttl: int) -> connection.RedisLock:
        lock = real(name, value=value, ttl=ttl)
        acquire = lock.acquire

        def twice(blocking: bool = True, timeout: int | None = None) -> bool:
            acquire(blocking=blocking)
            return False

        monkeypatch.setattr(lock, "acquire", twice)
        return lock

    monkeypatch.setattr(connection, "lock", repeating)
    with hold(NAME, reference="r") as held:
        assert held.waited_ms < 1000


def test_a_name_that_is_not_ours_is_refused(locks_db: redis.Redis) -> None:
    with (
        pytest.raises(ValueError, match="amocrm:lead:"),
        hold("celery:beat", reference="r"),
    ):
        pytest.fail("a foreign lock")
    assert locks_db.dbsize() == 0


def test_with_redis_disabled_there_is_no_lock_and_none_is_lost(
    settings: Settings, redis_server: RedisServer
) -> None:
    settings.REDIS_ENABLED = False
    redis_server.stop()
    with hold(NAME, reference="r") as held:
        held.extend()
        assert isinstance(held, HeldLock)
        assert held.waited_ms == 0


def test_history_that_cannot_be_written_neither_fails_nor_slows_the_holder(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    started = time.monotonic()
    for _ in range(20):
        with hold(NAME, reference="r"):
            pass
    assert time.monotonic() - started < 15


def test_the_log_tells_of_the_lock_in_the_documented_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="amocrm"), hold(NAME, reference="r"):
        pass
    lines = [record.getMessage() for record in caplog.records if record.name == guard.__name__]
    assert lines[0].startswith(f"🔒 Lock ACQUIRED: {NAME} (waited ")
    assert lines[1].startswith(f"🔓 Lock RELEASED: {NAME} (held ")
    assert all("[LOCK]" in line for line in lines)
