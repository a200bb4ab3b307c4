"""The workers are told from another thread, once for many forms, and none of them waits for it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from leads.delivery import dispatch, sweep
from leads.delivery.bell import Bell, bell
from leads.models import Submission
from tests.leads.conftest import Told
from tests.leads.delivery.test_dispatch import connections_to, messages_in
from tests.leads.forms import PROFTEST_URL
from tests.servers import RedisServer
from tests.waiting import wait_until

PATIENCE = 30  # seconds


class Held:
    """What the workers are told, from when it is let go on."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.told: list[datetime] = []
        self._tell_workers = dispatch.tell_workers

    def __call__(self, found_at: datetime) -> bool:
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        self.told.append(found_at)
        return self._tell_workers(found_at)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """A broker that answers only when the test says so."""
    held = Held()
    monkeypatch.setattr(dispatch, "tell_workers", held)
    yield held
    held.go_on.set()
    bell.wait()


def ring_and_hold(held: Held) -> None:
    """The bell's thread is busy with this ring."""
    bell.ring()
    assert held.began.wait(PATIENCE)


@pytest.mark.django_db(transaction=True)
def test_a_request_does_no_network_beyond_its_database(
    api: APIClient, proftest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()

    def noted(name: str) -> Any:
        real = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:
            seen.add(threading.current_thread().name)
            return real(self, *args)

        return call

    for name in ("connect", "send", "sendall"):
        monkeypatch.setattr(socket.socket, name, noted(name))
    assert api.post(PROFTEST_URL, proftest, format="json").status_code == 202
    bell.wait()
    assert seen == {"bell"}


@pytest.mark.django_db(transaction=True)
def test_forms_are_accepted_while_the_broker_does_not_answer(
    api: APIClient, proftest: dict[str, Any], held: Held
) -> None:
    for _ in range(3):
        assert api.post(PROFTEST_URL, proftest, format="json").status_code == 202
    assert held.told == []
    assert Submission.objects.count() == 3


def test_a_thousand_rings_make_two_messages_over_one_connection(
    held: Held, redis_server: RedisServer
) -> None:
    ring_and_hold(held)
    for _ in range(1000):
        bell.ring()
    last = timezone.now()
    held.go_on.set()
    bell.wait()
    assert sorted(messages_in(redis_server)) == held.told
    assert len(held.told) == 2
    assert held.told[1] >= last, "whatever was rung for was due by then"
    before = connections_to(redis_server)
    bell.ring()
    bell.wait()
    assert connections_to(redis_server) == before


def test_who_rings_while_the_workers_are_told_is_told_of_as_well(held: Held) -> None:
    """They may have looked before its row was there."""
    ring_and_hold(held)
    bell.ring()
    held.go_on.set()
    bell.wait()
    assert len(held.told) == 2


def test_after_a_message_the_thread_pauses_and_before_it_never(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    """A lone lead comes as soon as it can."""
    pauses: list[tuple[float, int]] = []
    clock = SimpleNamespace(sleep=lambda seconds: pauses.append((seconds, told())))
    monkeypatch.setattr("leads.delivery.bell.time", clock)
    monkeypatch.setattr("leads.delivery.bell.PAUSE", 0.25)
    Bell().ring()
    wait_until(lambda: bool(pauses), "it pauses")
    assert pauses == [(0.25, 1)]


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_refuses_is_left_alone_and_the_sweep_comes_later(
    api: APIClient, proftest: dict[str, Any], redis_server: RedisServer
) -> None:
    redis_server.kill()
    assert api.post(PROFTEST_URL, proftest, format="json").status_code == 202
    bell.wait()
    assert not dispatch.can_tell()
    bell.ring()
    assert not bell._rung.is_set(), "not even kept for later"
    redis_server.start()
    dispatch.breaker.close()
    assert sweep.ring_if_due()
    assert len(messages_in(redis_server)) == 1


# Python 3.12 warns of what is tested here.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_that_is_forked_off_has_a_thread_and_a_connection_of_its_own(
    redis_server: RedisServer,
) -> None:
    bell.ring()
    bell.wait()
    with dispatch._kept.lock:  # as if the bell's thread were sending just now
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE)  # it may hang, the tests may not
            bell.ring()
            bell.wait()
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert status == 0
    assert len(messages_in(redis_server)) == 2
    bell.ring()
    assert len(messages_in(redis_server)) == 3


def test_nothing_that_breaks_ends_the_thread(
    monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(dispatch, "_send", None)
        bell.ring()
        bell.wait()
    dispatch.breaker.close()
    bell.ring()
    assert len(messages_in(redis_server)) == 1


def test_the_thread_holds_up_no_process_that_ends() -> None:
    bell.ring()
    bell.wait()
    assert bell._thread is not None
    assert bell._thread.daemon
