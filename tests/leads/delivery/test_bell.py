"""Accepted forms are told of from another thread, together, and none of them waits for that."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from leads.delivery import dispatch, sweep
from leads.delivery.bell import MOST_AT_ONCE, MOST_WAITING, bell
from leads.models import Submission
from tests.leads.delivery.test_dispatch import connections_to, messages_in
from tests.leads.forms import PROFTEST_URL
from tests.servers import RedisServer

PATIENCE = 30  # seconds


class Held:
    """What is dispatched, from when it is let go on."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.batches: list[list[UUID]] = []
        self._dispatch = dispatch.dispatch

    def __call__(self, submission_ids: list[UUID]) -> int:
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        self.batches.append(submission_ids)
        return self._dispatch(submission_ids)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """A broker that answers only when the test says so."""
    held = Held()
    monkeypatch.setattr(dispatch, "dispatch", held)
    yield held
    held.go_on.set()
    bell.wait()


def ring_and_hold(held: Held) -> UUID:
    """The bell's thread is busy with this one."""
    first = uuid4()
    bell.ring(first)
    assert held.began.wait(PATIENCE)
    return first


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
    assert held.batches == []
    assert Submission.objects.count() == 3


def test_what_gathers_is_sent_together_over_one_connection(
    held: Held, redis_server: RedisServer
) -> None:
    first = ring_and_hold(held)
    others = [uuid4() for _ in range(MOST_AT_ONCE + 2)]
    for one in others:
        bell.ring(one)
    held.go_on.set()
    bell.wait()
    assert held.batches == [[first], others[:MOST_AT_ONCE], others[MOST_AT_ONCE:]]
    assert len(messages_in(redis_server)) == len(others) + 1
    before = connections_to(redis_server)
    bell.ring(uuid4())
    bell.wait()
    assert connections_to(redis_server) == before


@pytest.mark.django_db(transaction=True)
def test_in_a_storm_the_sweep_finds_who_is_not_told_of(
    api: APIClient, proftest: dict[str, Any], held: Held, redis_server: RedisServer
) -> None:
    ring_and_hold(held)
    for _ in range(MOST_WAITING):
        bell.ring(uuid4())
    assert api.post(PROFTEST_URL, proftest, format="json").status_code == 202
    late = Submission.objects.get()
    held.go_on.set()
    bell.wait()
    assert sum(len(batch) for batch in held.batches) == MOST_WAITING + 1
    assert [str(late.pk)] not in messages_in(redis_server)
    assert sweep.dispatch_due() == 1
    assert [str(late.pk)] in messages_in(redis_server)


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_refuses_is_left_alone_and_the_sweep_comes_later(
    api: APIClient, proftest: dict[str, Any], redis_server: RedisServer
) -> None:
    redis_server.kill()
    assert api.post(PROFTEST_URL, proftest, format="json").status_code == 202
    bell.wait()
    assert not dispatch.can_dispatch()
    bell.ring(uuid4())
    assert bell._waiting.empty(), "not even kept for later"
    redis_server.start()
    dispatch.breaker.close()
    assert sweep.dispatch_due() == 1
    assert messages_in(redis_server) == [[str(Submission.objects.get().pk)]]


# Python 3.12 warns of what is tested here.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_that_is_forked_off_has_a_thread_and_a_connection_of_its_own(
    redis_server: RedisServer,
) -> None:
    bell.ring(uuid4())
    bell.wait()
    with dispatch._kept.lock:  # as if the bell's thread were sending just now
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE)  # it may hang, the tests may not
            bell.ring(uuid4())
            bell.wait()
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert status == 0
    assert len(messages_in(redis_server)) == 2
    bell.ring(uuid4())
    assert len(messages_in(redis_server)) == 3


def test_nothing_that_breaks_ends_the_thread(
    monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(dispatch, "_send_each", None)
        bell.ring(uuid4())
        bell.wait()
    dispatch.breaker.close()
    bell.ring(uuid4())
    assert len(messages_in(redis_server)) == 1


def test_the_thread_holds_up_no_process_that_ends() -> None:
    bell.ring(uuid4())
    bell.wait()
    assert bell._thread is not None
    assert bell._thread.daemon
