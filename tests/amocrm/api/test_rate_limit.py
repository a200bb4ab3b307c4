"""One limit for all processes, whatever becomes of Redis and of clocks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import time_machine
from redis import Redis

from amocrm import conf
from amocrm.api import rate_limit
from amocrm.api.rate_limit import FRESH_FOR, WINDOW_MS, Limiter, Permit
from amocrm.errors import ComeBack, LockUnavailable
from amocrm.sandbox.server import RunningSandbox, start
from tests.amocrm.api.raw_server import pump, serving, write_authority
from tests.servers import RedisServer

PROJECT = Path(__file__).resolve().parents[3]
RPS = 7
PROCESSES = 4
SECONDS = 3.0


def limiter_of(rps: float = 5, **changes: Any) -> Limiter:
    return rate_limit.for_account(
        replace(conf.current(), base_url="http://limited.example", max_rps=rps, **changes)
    )


@pytest.fixture(autouse=True)
def _own_buckets_are_empty() -> Iterator[None]:
    rate_limit._own_bucket.cache_clear()
    yield
    rate_limit._own_bucket.cache_clear()


def taken_in(one: Limiter, seconds: float) -> list[float]:
    """When somebody who asks without pause could have sent: a place that got old while the
    machine was busy elsewhere is not used."""
    ends_at = time.monotonic() + seconds
    got = []
    while time.monotonic() < ends_at:
        try:
            permit = one.wait(0.05)
        except ComeBack:
            continue
        now = time.monotonic()
        if permit.is_fresh:
            got.append(now)
    return got


def most_in_a_second(moments: list[float]) -> int:
    moments = sorted(moments)
    return max(sum(first <= other < first + 1 for other in moments) for first in moments or [0.0])


def run_processes(
    sandbox: RunningSandbox, *, count: int, rps: int, **environment: str
) -> dict[str, Any]:
    """Let processes ask as fast as they may; what the sandbox saw of it."""
    environment = {
        **os.environ,
        "AMOCRM_BASE_URL": sandbox.url,
        "AMOCRM_MAX_RPS": str(rps),
        **environment,
    }
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "tests.amocrm.api.limited_process"),
                str(SECONDS),
            ],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    said = [one.communicate(timeout=60)[0] for one in running]
    assert said == [""] * count
    seen: dict[str, Any] = sandbox.control.state()["requests"]
    return seen


def test_four_processes_together_never_exceed_the_limit_in_any_second() -> None:
    with start(port=0, index_lag=0, rps=RPS) as sandbox:
        seen = run_processes(sandbox, count=PROCESSES, rps=RPS)
    assert seen["max_per_second"] <= RPS
    assert seen["answers_429"] == 0
    # And the limit is used: they were not merely slow.
    assert seen["total"] >= RPS * SECONDS / 2


def test_slow_handshakes_bring_no_requests_closer_together(tmp_path: Path) -> None:
    """A request that took its place before connecting would arrive among those of later ones."""
    with start(port=0, index_lag=0, rps=RPS) as sandbox:

        def far_away(connection: socket.socket) -> None:
            with socket.create_connection(("127.0.0.1", sandbox.port)) as inner:
                pump(connection, inner)

        with serving(far_away, tls=True, before=lambda: time.sleep(0.4)) as url:
            seen = run_processes(
                sandbox,
                count=PROCESSES,
                rps=RPS,
                AMOCRM_BASE_URL=url,
                AUTHORITY=str(write_authority(tmp_path / "authority.pem")),
            )
    assert seen["max_per_second"] <= RPS
    assert seen["answers_429"] == 0
    assert seen["total"] >= RPS * SECONDS / 2


def test_without_the_limit_one_such_process_would_exceed_it() -> None:
    """The test of the test above: the sandbox counts, and the processes are fast enough."""
    with start(port=0, index_lag=0, rps=0) as sandbox:
        seen = run_processes(sandbox, count=1, rps=1000)
    assert seen["max_per_second"] > RPS


def test_threads_of_one_process_share_the_limit() -> None:
    got: list[float] = []
    threads = [
        threading.Thread(target=lambda: got.extend(taken_in(limiter_of(5), 2.5))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_in_a_second(got) <= 5
    assert len(got) >= 5


@pytest.mark.parametrize(
    ("rps", "places", "window_ms"),
    [
        (5, 5, WINDOW_MS),
        (1, 1, WINDOW_MS),
        (1.9, 1, WINDOW_MS),
        (6.5, 6, WINDOW_MS),
        (0.5, 1, 2400),
    ],
)
def test_fractions_are_rounded_to_the_safe_side(rps: float, places: int, window_ms: int) -> None:
    (rate,) = rate_limit._rates(rps)
    assert (rate.limit, rate.interval) == (places, window_ms)


def test_a_process_whose_clock_is_off_takes_no_place_too_many() -> None:
    assert most_in_a_second(taken_in(limiter_of(5), 0.3)) == 5
    with time_machine.travel(time.time() + 120, tick=True), pytest.raises(ComeBack):
        limiter_of(5).wait(0)
    with time_machine.travel(time.time() - 120, tick=True), pytest.raises(ComeBack):
        limiter_of(5).wait(0)


def test_a_process_that_stalled_after_reading_the_clock_takes_no_place_too_many(
    redis_server: RedisServer,
) -> None:
    one = limiter_of(5)
    real = one._bucket.now
    stalled_at = real() - 1000
    for _ in range(5):
        one.wait(0)
    one._bucket.now = lambda: stalled_at  # type: ignore[method-assign]
    try:
        with pytest.raises(ComeBack):
            one.wait(0)
    finally:
        del one._bucket.now
    assert redis_server.client().zcard("amocrm:requests:limited.example") == 5


def test_places_get_free_again_after_the_window() -> None:
    one = limiter_of(2)
    started = time.monotonic()
    one.wait(0)
    one.wait(0)
    one.wait(30)
    assert time.monotonic() - started >= WINDOW_MS / 1000 - 0.05


def test_who_has_no_patience_comes_back() -> None:
    one = limiter_of(0.1)
    one.wait(0)
    with pytest.raises(ComeBack, match="too many requests are waiting"):
        one.wait(0.5)


def test_a_place_is_good_for_a_moment_only() -> None:
    permit = limiter_of().wait(0)
    assert permit.is_fresh
    assert not Permit(taken_at=time.monotonic() - FRESH_FOR).is_fresh
    # Late requests of one window and early ones of the next stay a second apart.
    assert WINDOW_MS - FRESH_FOR * 1000 >= 1000


def test_nothing_is_left_in_redis_of_an_account_that_is_not_asked_any_more(
    redis_server: RedisServer,
) -> None:
    limiter_of().wait(0)
    client = redis_server.client()
    left = client.pttl("amocrm:requests:limited.example")
    assert isinstance(left, int)
    assert 0 < left <= 2 * WINDOW_MS


def test_accounts_do_not_share_a_limit() -> None:
    limiter_of(1).wait(0)
    other = replace(conf.current(), base_url="http://other.example", max_rps=1)
    rate_limit.for_account(other).wait(0)


def test_usage_tells_what_went_out_in_the_last_second() -> None:
    one = limiter_of(50)
    for _ in range(3):
        one.wait(0)
    assert one.last_second() == 3
    time.sleep(1.1)
    assert one.last_second() == 0
    assert rate_limit.usage() == (0, conf.current().max_rps)


def test_a_redis_that_was_restarted_empty_is_taught_the_script_again(
    redis_server: RedisServer,
) -> None:
    one = limiter_of()
    one.wait(0)
    redis_server.kill()
    redis_server.start()
    one.wait(0)
    assert one.last_second() == 1


def test_flushed_scripts_are_loaded_again(redis_server: RedisServer) -> None:
    one = limiter_of()
    one.wait(0)
    redis_server.client().script_flush()
    one.wait(0)
    assert one.last_second() == 2


def test_a_killed_redis_is_unavailable_at_once_and_then_works_by_itself(
    redis_server: RedisServer,
) -> None:
    one = limiter_of()
    one.wait(0)
    redis_server.kill()
    started = time.monotonic()
    for ask in (lambda: one.wait(30), one.last_second, rate_limit.usage):
        with pytest.raises(LockUnavailable, match="Redis does not answer") as raised:
            ask()
        assert raised.value.not_done
    assert time.monotonic() - started < 15
    redis_server.start()
    one.wait(0)


def test_a_frozen_redis_is_unavailable_within_seconds_and_then_works_by_itself(
    redis_server: RedisServer,
) -> None:
    one = limiter_of()
    one.wait(0)
    redis_server.pause()
    started = time.monotonic()
    with pytest.raises(LockUnavailable):
        one.wait(30)
    assert time.monotonic() - started < 15
    redis_server.resume()
    one.wait(5)


def test_a_redis_clock_that_was_set_back_blocks_nobody_for_long(
    redis_server: RedisServer,
) -> None:
    one = limiter_of(5)
    for _ in range(5):
        one.wait(0)
    client: Redis = redis_server.client()
    an_hour_on = int(time.time() * 1000) + 3_600_000
    client.zadd("amocrm:requests:limited.example", {f"later:{n}": an_hour_on for n in range(5)})
    one.wait(30)


def test_without_redis_each_process_counts_for_itself(redis_server: RedisServer) -> None:
    redis_server.kill()
    one = limiter_of(2, redis_enabled=False)
    one.wait(0)
    one.wait(0)
    with pytest.raises(ComeBack):
        limiter_of(2, redis_enabled=False).wait(0)
    assert one.last_second() == 2
