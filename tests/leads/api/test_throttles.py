"""How often one address may call."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

import pytest
from django.core.cache.backends.locmem import LocMemCache
from pytest_django.fixtures import Settings
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from leads.api.throttles import (
    MAX_CLIENTS,
    MemoryThrottle,
    RefusedThrottle,
    StatusThrottle,
    address_of,
)

VIEW = APIView()


def request_from(address: str = "192.0.2.1", **headers: str) -> Request:
    return Request(APIRequestFactory().get("/", REMOTE_ADDR=address, **cast(Any, headers)))


def ask(address: str = "192.0.2.1", kind: type[MemoryThrottle] = RefusedThrottle) -> int:
    """0 if the call may go on, else the seconds to wait."""
    throttle = kind()
    return 0 if throttle.allow_request(request_from(address), VIEW) else int(throttle.wait())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(MemoryThrottle, "timer", lambda self: now[0])
    return now


def test_calls_are_allowed_again_one_by_one_as_they_get_old(
    clock: list[float], settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "2/min"
    assert ask() == 0
    clock[0] += 10
    assert ask() == 0
    assert ask() == 50
    clock[0] += 49.5
    assert ask() == 1
    clock[0] += 0.5
    assert ask() == 0
    assert ask() == 10


def test_calls_that_were_refused_are_not_counted(clock: list[float], settings: Settings) -> None:
    settings.LANDING_THROTTLE = "1/min"
    assert ask() == 0
    for second in range(1, 60):
        clock[0] += 1
        assert ask() == 60 - second
    clock[0] += 1
    assert ask() == 0


def test_refused_forms_and_statuses_are_counted_apart(
    clock: list[float], settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "1/min"
    assert [ask(), ask()] == [0, 60]
    assert ask(kind=StatusThrottle) == 0


def test_threads_never_get_more_than_the_limit_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LANDING_THROTTLE = "50/hour"
    waits: list[int] = []
    read = MemoryThrottle.cache.get

    def read_slowly(*args: Any) -> Any:
        found = read(*args)
        time.sleep(0.001)  # others run before the history is written
        return found

    monkeypatch.setattr(MemoryThrottle.cache, "get", read_slowly)
    threads = [
        threading.Thread(target=lambda: waits.extend(ask() for _ in range(20))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits.count(0) == 50


def test_the_addresses_remembered_are_bounded_and_the_busy_ones_stay(settings: Settings) -> None:
    settings.LANDING_THROTTLE = "1/day"
    assert ask("192.0.2.1") == 0
    for number in range(MAX_CLIENTS + 500):
        ask(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        if number % 500 == 0:
            assert ask("192.0.2.1") > 0
    remembered: Any = MemoryThrottle.cache
    assert len(remembered._cache) <= MAX_CLIENTS


def test_what_is_counted_in_memory_is_in_nothing_shared() -> None:
    assert RefusedThrottle.cache is StatusThrottle.cache
    assert isinstance(MemoryThrottle.cache, LocMemCache)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:51012", "192.0.2.1"),
        ("[2001:db8::1]:51012", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[::ffff:192.0.2.1]:1", "192.0.2.1"),
        ("", "unknown"),
        ("192.0.2.1:1:2", "unknown"),
        ("[nonsense]:1", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_a_client_is_an_address_or_an_ipv6_network(address: str, client: str) -> None:
    assert address_of(request_from(address), 0) == client
    assert address_of(request_from("10.0.0.1", HTTP_X_FORWARDED_FOR=f"x, {address}"), 1) == (
        client if address else "10.0.0.1"
    )


def test_what_the_caller_wrote_into_forwarded_for_does_not_count() -> None:
    request = request_from("192.0.2.9", HTTP_X_FORWARDED_FOR="6.6.6.6, 198.51.100.1, 10.0.0.1")
    assert [address_of(request, trusted) for trusted in range(5)] == [
        "192.0.2.9",
        "10.0.0.1",
        "198.51.100.1",
        "6.6.6.6",
        "192.0.2.9",
    ]
