"""One pace for all processes, whatever becomes of Redis and of clocks."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from amocrm import conf
from amocrm.api import rate_limit
from amocrm.api.rate_limit import CAP, FRESH_FOR, NETWORK_JITTER, Limiter, Permit
from amocrm.api.slots import LONGEST_WAIT, OwnSlots, SharedSlots, Slots
from amocrm.errors import ComeBack, LockUnavailable
from tests.amocrm.api.limited_run import (
    most_in_a_second,
    per_second,
    run_processes,
    sandbox_process,
)
from tests.amocrm.api.raw_server import pump, serving, write_authority
from tests.round_trips import round_trips
from tests.servers import RedisServer
from tests.waiting import wait_until

PROCESSES = 4
SECONDS = 3.0
KEY = "amocrm:requests:limited.example"


def limiter_of(rps: float = 5, **changes: Any) -> Limiter:
    return rate_limit.for_account(
        replace(conf.current(), base_url="http://limited.example", max_rps=rps, **changes)
    )


@pytest.fixture(autouse=True)
def _own_slots_are_empty() -> Iterator[None]:
    rate_limit._own.cache_clear()
    yield
    rate_limit._own.cache_clear()


# --- processes and a sandbox -----------------------------------------------------------------


@pytest.mark.parametrize("rps", [5, CAP])
def test_four_processes_together_never_exceed_seven_in_any_second(rps: int) -> None:
    with sandbox_process() as sandbox:
        seen = run_processes(
            sandbox.control,
            count=PROCESSES,
            seconds=SECONDS,
            AMOCRM_BASE_URL=sandbox.url,
            AMOCRM_MAX_RPS=str(rps),
        )
    # What a starved machine brought late, the limiter let through in time.
    assert seen.most_in_a_second(longest_underway=NETWORK_JITTER) <= CAP
    if all(one.underway <= NETWORK_JITTER for one in seen.arrivals):
        assert seen.counted["max_per_second"] <= CAP
    # And the pace is used: permits were waited for all the time, by sixteen threads.
    interval, _ = rate_limit.pace(rps)
    assert 0.9 <= per_second(seen.permits) * interval <= 1.1
    assert seen.counted["total"] >= SECONDS / interval / 2


def test_slow_handshakes_bring_no_requests_closer_together(tmp_path: Path) -> None:
    """A request that got its permit before connecting would arrive among those of later ones."""
    handshake = 0.4
    with sandbox_process() as sandbox:

        def far_away(connection: socket.socket) -> None:
            with socket.create_connection(("127.0.0.1", sandbox.port)) as inner:
                pump(connection, inner)

        with serving(far_away, tls=True, before=lambda: time.sleep(handshake)) as url:
            seen = run_processes(
                sandbox.control,
                count=PROCESSES,
                seconds=SECONDS,
                AMOCRM_BASE_URL=url,
                AMOCRM_MAX_RPS=str(CAP),
                AUTHORITY=str(write_authority(tmp_path / "authority.pem")),
            )
    assert seen.most_in_a_second(longest_underway=NETWORK_JITTER) <= CAP
    # One of four requests is the first of its connection.
    waited = [one for one in seen.arrivals if one.underway >= handshake]
    assert len(waited) < len(seen.arrivals) / 8
    assert seen.counted["total"] >= CAP * SECONDS / 2


def test_without_the_limit_one_such_process_would_exceed_it() -> None:
    """The test of the tests above: the sandbox counts, and the processes are fast enough."""
    with sandbox_process() as sandbox:
        seen = run_processes(
            sandbox.control,
            count=1,
            seconds=SECONDS,
            AMOCRM_BASE_URL=sandbox.url,
            AMOCRM_MAX_RPS="1000",
        )
    assert seen.counted["max_per_second"] > CAP
    assert seen.most_in_a_second(longest_underway=NETWORK_JITTER) > CAP


def test_threads_of_one_process_share_the_limit() -> None:
    got: list[float] = []
    ends_at = time.monotonic() + 2.5

    def ask() -> None:
        while time.monotonic() < ends_at:
            permit = limiter_of(5).acquire(60)
            now = time.monotonic()
            if permit.is_fresh:  # one that got old while the machine was busy is not used
                got.append(now)

    started = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Six, whatever the machine does: 5 × 0.2 s - CATCH_UP - FRESH_FOR is less than a second,
    # 6 × 0.2 s is more.
    assert most_in_a_second(got) <= 6
    assert 5 <= len(got) <= (time.monotonic() - started) * 5 + 2


# --- the pace --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rps", "interval"),
    [
        (0.1, 10),
        (0.5, 2),
        (1, 1),
        (1.9, 1 / 1.9),
        (5, 0.2),
        (6, 1 / 6),
        (6.5, 1 / 6),
        (7, 1 / 6),
        (1000, 0.001),
        (10_000, 0.0001),
    ],
)
def test_the_interval_is_what_the_setting_says_as_far_as_seven_a_second_allow(
    rps: float, interval: float
) -> None:
    assert rate_limit.pace(rps)[0] == pytest.approx(interval)


@pytest.mark.parametrize("tenths", range(1, 71))
def test_no_eight_requests_can_be_counted_within_one_second(tenths: int) -> None:
    interval, catch_up = rate_limit.pace(tenths / 10)
    assert catch_up >= 0
    assert NETWORK_JITTER > 0.06
    earliest_of_the_eighth = 7 * interval
    latest_of_the_first = catch_up + FRESH_FOR + NETWORK_JITTER
    assert earliest_of_the_eighth - latest_of_the_first >= 1 - 1e-9


@pytest.fixture(params=["shared", "own"])
def counting(request: pytest.FixtureRequest, redis_server: RedisServer) -> tuple[Slots, Any]:
    """Both ways of counting, and what gives the slots of each: seconds, in order."""
    if request.param == "own":
        own = OwnSlots()
        return own, lambda: list(own._slots)
    client = redis_server.client()

    def slots() -> list[float]:
        found: Any = client.zrange(KEY, 0, -1)
        return [int(slot) / 1_000_000 for slot in found]

    return SharedSlots(client, KEY), slots


Counting = tuple[Slots, Callable[[], list[float]]]


def gaps(slots: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip(slots, slots[1:], strict=False)]


@pytest.mark.parametrize("interval", [5.0, 0.001, 0.0001])
def test_who_asks_in_time_gets_the_very_next_slot(counting: Counting, interval: float) -> None:
    slots, given = counting
    waits = [slots.reserve(interval=interval, catch_up=60, max_wait=60) for _ in range(10)]
    assert None not in waits
    assert gaps(given()) == pytest.approx([interval] * 9, abs=1e-6)


def test_who_comes_late_keeps_the_pace_as_far_as_may_be_caught_up(counting: Counting) -> None:
    slots, given = counting
    slots.reserve(interval=0.01, catch_up=0.2, max_wait=60)
    time.sleep(0.5)  # what is tested is that time passes, by the clock of Redis
    before = time.monotonic()
    assert slots.reserve(interval=0.01, catch_up=0.2, max_wait=60) == 0
    assert slots.reserve(interval=0.01, catch_up=0.2, max_wait=60) == 0
    first, second = gaps(given())
    assert first >= 0.5 - 0.2 - 1e-6
    if time.monotonic() - before < 0.2 - 0.01:  # else this machine was too slow for the slot
        assert second == pytest.approx(0.01, abs=1e-6)


def test_nothing_is_caught_up_where_nothing_may_be(counting: Counting) -> None:
    slots, given = counting
    for _ in range(3):
        slots.reserve(interval=0.01, catch_up=0, max_wait=60)
        time.sleep(0.1)  # as above
    assert min(gaps(given())) >= 0.1 - 1e-6


def test_who_would_wait_too_long_takes_no_slot(counting: Counting) -> None:
    slots, given = counting
    assert slots.reserve(interval=10, catch_up=0, max_wait=0) == 0
    assert slots.reserve(interval=10, catch_up=0, max_wait=2) is None
    assert len(given()) == 1
    wait = slots.reserve(interval=10, catch_up=0, max_wait=10)
    assert wait is not None
    assert 2 < wait <= 10
    assert gaps(given()) == pytest.approx([10])


def test_only_slots_that_have_come_count_as_let_through(counting: Counting) -> None:
    slots, _ = counting
    for _ in range(3):
        slots.reserve(interval=20, catch_up=0, max_wait=60)
    assert slots.last_second() == 1


def test_a_permit_is_waited_for() -> None:
    one = limiter_of(2)
    started = time.monotonic()
    for _ in range(3):
        one.acquire(30)
    assert time.monotonic() - started >= 2 * 0.5 - rate_limit.CATCH_UP


def test_a_permit_costs_one_round_trip_whether_it_is_waited_for_or_not() -> None:
    one = limiter_of(5)
    one.acquire(0)  # the connection and the script are there now
    with round_trips() as seen:
        for _ in range(3):
            one.acquire(60)
    assert seen == {"EVALSHA": 3}


def test_who_has_no_patience_comes_back_at_once() -> None:
    one = limiter_of(0.1)
    one.acquire(0)
    started = time.monotonic()
    with pytest.raises(ComeBack, match="too many requests are waiting"):
        one.acquire(2)
    assert time.monotonic() - started < 2


def test_nobody_waits_longer_than_a_minute(redis_server: RedisServer) -> None:
    one = limiter_of(0.1)
    for _ in range(7):
        one._slots.reserve(interval=10, catch_up=0, max_wait=LONGEST_WAIT)
    with pytest.raises(ComeBack):
        one.acquire(3600)


# --- how long a permit is good ---------------------------------------------------------------


def test_a_permit_is_good_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: now[0]))
    permit = Permit(taken_at=1000.0)
    now[0] += FRESH_FOR - 0.001
    assert permit.is_fresh
    now[0] += 0.001
    assert not permit.is_fresh


class Scripted:
    """Slots that take their time to answer, by a clock of the test's."""

    def __init__(self, now: list[float], *, answer_takes: float, wait: float) -> None:
        self.now = now
        self.answer_takes = answer_takes
        self.wait = wait

    def reserve(self, *, interval: float, catch_up: float, max_wait: float) -> float:
        self.now[0] += self.answer_takes
        return self.wait

    def last_second(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("answer_takes", "wait", "age"), [(0, 0, 0), (0, 3, 0), (0.2, 0, 0.2), (0.2, 3, 0.2)]
)
def test_a_permit_gets_old_while_redis_answers_but_not_while_its_slot_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, answer_takes: float, wait: float, age: float
) -> None:
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr(rate_limit, "time", clock)
    permit = Limiter(Scripted(now, answer_takes=answer_takes, wait=wait), 5).acquire(60)
    assert now[0] - permit.taken_at == pytest.approx(age)
    assert now[0] == pytest.approx(1000 + answer_takes + wait)


# --- Redis, clocks, accounts -----------------------------------------------------------------


def test_a_process_whose_clock_is_off_gets_no_permit_too_many() -> None:
    limiter_of(0.1).acquire(0)
    for seconds in (120, -120):
        with time_machine.travel(time.time() + seconds, tick=True), pytest.raises(ComeBack):
            limiter_of(0.1).acquire(0)


def test_nothing_is_left_in_redis_of_an_account_that_is_not_asked_any_more(
    redis_server: RedisServer,
) -> None:
    client = redis_server.client()
    for rps, longest in ((5, 1000), (0.1, 10_000)):
        client.flushall()
        limiter_of(rps).acquire(0)
        assert client.keys() == [KEY.encode()]
        assert 0 < int(str(client.pttl(KEY))) <= longest


def test_the_last_slot_is_remembered_until_it_does_not_matter(redis_server: RedisServer) -> None:
    one = limiter_of(0.1)
    for _ in range(3):
        one._slots.reserve(interval=10, catch_up=0, max_wait=60)
    assert 25_000 < int(str(redis_server.client().pttl(KEY))) <= 30_000


def test_slots_long_past_are_forgotten(redis_server: RedisServer) -> None:
    one = limiter_of(1000)
    for _ in range(200):
        one.acquire(60)

    def are_forgotten() -> bool:
        one.acquire(60)  # so that the key is never without requests, and does not expire
        return redis_server.client().zcard(KEY) < 100

    wait_until(are_forgotten, "the first 200 slots are forgotten", seconds=10)


def test_accounts_do_not_share_a_limit() -> None:
    limiter_of(1).acquire(0)
    other = replace(conf.current(), base_url="http://other.example", max_rps=1)
    rate_limit.for_account(other).acquire(0)


def test_usage_tells_what_went_out_in_the_last_second() -> None:
    one = limiter_of(50)
    for _ in range(3):
        one.acquire(60)
    assert one.last_second() == 3
    wait_until(lambda: one.last_second() == 0, "a second without requests")
    assert rate_limit.usage() == (0, conf.current().max_rps)


def test_a_redis_that_was_restarted_empty_is_taught_the_script_again(
    redis_server: RedisServer,
) -> None:
    one = limiter_of()
    one.acquire(0)
    redis_server.kill()
    redis_server.start()
    one.acquire(0)
    assert one.last_second() == 1


def test_flushed_scripts_are_loaded_again(redis_server: RedisServer) -> None:
    one = limiter_of()
    one.acquire(0)
    redis_server.client().script_flush()
    one.acquire(60)
    assert one.last_second() == 2


def test_a_killed_redis_is_unavailable_at_once_and_then_works_by_itself(
    redis_server: RedisServer,
) -> None:
    one = limiter_of()
    one.acquire(0)
    redis_server.kill()
    started = time.monotonic()
    for ask in (lambda: one.acquire(30), one.last_second, rate_limit.usage):
        with pytest.raises(LockUnavailable, match="Redis does not answer") as raised:
            ask()
        assert raised.value.not_done
    assert time.monotonic() - started < 15
    redis_server.start()
    one.acquire(0)


def test_a_frozen_redis_is_unavailable_within_seconds_and_then_works_by_itself(
    redis_server: RedisServer,
) -> None:
    one = limiter_of()
    one.acquire(0)
    redis_server.pause()
    started = time.monotonic()
    with pytest.raises(LockUnavailable):
        one.acquire(30)
    assert time.monotonic() - started < 15
    redis_server.resume()
    one.acquire(5)


def test_a_redis_clock_that_was_set_back_blocks_nobody(redis_server: RedisServer) -> None:
    one = limiter_of(5)
    one.acquire(0)
    an_hour_on = int(time.time() * 1_000_000) + 3_600_000_000
    redis_server.client().zadd(KEY, {str(an_hour_on): an_hour_on})
    one.acquire(0)
    assert one.last_second() == 1


def test_without_redis_each_process_counts_for_itself(redis_server: RedisServer) -> None:
    redis_server.kill()
    one = limiter_of(0.1, redis_enabled=False)
    one.acquire(0)
    with pytest.raises(ComeBack):
        limiter_of(0.1, redis_enabled=False).acquire(0)
    assert one.last_second() == 1
