"""Whoever sends slowly, or nothing at all, holds up nobody else."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from waitress import wasyncore
from waitress.task import ThreadedTaskDispatcher

from config.web import worker
from tests.config.conftest import Web
from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
FORM = {"name": "Test User", "phone": "+77771112233"}
HALF_A_HEADER = b"POST /api/landing/submit HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le"
ONE_BYTE = (
    b"POST /api/landing/submit HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 60\r\n\r\n{"
)


def connection(site: str, sent: bytes) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", urlsplit(site).port or 0), timeout=30)
    found.sendall(sent)
    return found


@pytest.mark.parametrize("sent", [b"", HALF_A_HEADER, ONE_BYTE], ids=["idle", "header", "body"])
def test_more_slow_senders_than_threads_hold_up_nobody(web: Web, sent: bytes) -> None:
    with ExitStack() as slow:
        for _ in range(100):
            slow.enter_context(connection(web.site, sent))
        for _ in range(4):
            answer = requests.post(f"{web.site}/api/landing/submit", json=FORM, timeout=30)
            assert answer.status_code == 202


def test_a_body_that_comes_in_pieces_is_one_body(web: Web) -> None:
    body = b'{"name": "Test User", "phone": "+77771112233"}'
    head = ONE_BYTE[:-1].replace(b"60", str(len(body)).encode())
    with connection(web.site, head) as sender:
        for at in range(0, len(body), 5):
            sender.sendall(body[at : at + 5])
        assert b" 202 " in sender.recv(64)


def test_what_has_arrived_is_answered_before_the_end(web: Web) -> None:
    body = b'{"name": "Test User", "phone": "+77771112233"}'
    whole = ONE_BYTE[:-1].replace(b"60", str(len(body)).encode()) + body
    with connection(web.site, whole) as sender:
        web.process.terminate()
        assert b" 202 " in sender.recv(64)
    assert web.process.wait(timeout=30) == 0


# Deadlines, by the clock that the server is told ------------------------------------------------


@pytest.fixture
def server() -> Iterator[worker.DeadlineServer]:
    """A server without a process or threads of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    made = worker.DeadlineServer(
        lambda environ, start: [],
        map={},
        _sock=listening,
        dispatcher=ThreadedTaskDispatcher(),
        adj=worker._adjustments(),
        sockinfo=(listening.family, listening.type, 0, listening.getsockname()),
        bind_socket=False,
    )
    yield made
    wasyncore.close_all(made._map)


def turn(server: worker.DeadlineServer) -> None:
    for _ in range(5):
        wasyncore.loop(timeout=0.05, use_poll=True, map=server._map, count=1)


def accept(server: worker.DeadlineServer) -> None:
    def has_one() -> bool:
        turn(server)
        return len(server.active_channels) == 1

    wait_until(has_one, "it is accepted")


@pytest.mark.parametrize("sent", [b"", HALF_A_HEADER, ONE_BYTE], ids=["idle", "header", "body"])
def test_what_does_not_come_to_its_end_is_closed(
    server: worker.DeadlineServer, sent: bytes
) -> None:
    with connection(f"http://127.0.0.1:{server.effective_port}", sent) as sender:
        accept(server)
        server.maintenance(time.time() + worker.READ_SECONDS - 5)
        turn(server)
        assert server.active_channels

        server.maintenance(time.time() + worker.READ_SECONDS + 5)
        turn(server)

        assert not server.active_channels
        assert sender.recv(1) == b""


def test_one_byte_now_and_then_does_not_keep_a_request_open(
    server: worker.DeadlineServer,
) -> None:
    with connection(f"http://127.0.0.1:{server.effective_port}", HALF_A_HEADER) as sender:
        accept(server)
        (channel,) = server.active_channels.values()
        channel.began -= worker.READ_SECONDS - 1
        sender.sendall(b"n")
        turn(server)

        server.maintenance(time.time() + 2)
        turn(server)

        assert not server.active_channels
