"""The limit to a whole HTTP call, against servers that misbehave below HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from amocrm.api import deadline
from amocrm.api.deadline import DeadlineAdapter, limited_to
from tests.amocrm.api.raw_server import answer, one_answer, read_request, serving, write_authority
from tests.servers import free_port
from tests.waiting import wait_until

# Developers' other machines; CI's is Linux, and a skip there is a failure.
withdraws = pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux withdraws"
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.verify = str(write_authority(tmp_path / "authority.pem"))
        made.mount("http://", DeadlineAdapter())
        made.mount("https://", DeadlineAdapter())
        yield made


def call(session: requests.Session, url: str, seconds: float) -> tuple[deadline.Call, str]:
    """One GET, and what it ended with: the text, or the kind of error."""
    with limited_to(seconds) as made:
        try:
            return made, session.get(url, timeout=(5, 5)).text
        except (requests.RequestException, OSError) as error:
            return made, type(error).__name__


def trickle(text: bytes, every: float) -> Callable[[socket.socket], None]:
    def handler(connection: socket.socket) -> None:
        read_request(connection)
        for byte in text:
            connection.sendall(bytes([byte]))
            time.sleep(every)

    return handler


@pytest.mark.parametrize("tls", [False, True])
def test_headers_that_trickle_are_cut_off(session: requests.Session, tls: bool) -> None:
    with serving(trickle(answer(b"{}"), 0.3), tls=tls) as url:
        started = time.monotonic()
        made, ended = call(session, url, 1)
    assert time.monotonic() - started < 10
    assert ended == "ConnectionError"
    assert made.is_connected
    assert made.is_over


@pytest.mark.parametrize("tls", [False, True])
def test_a_body_that_trickles_is_cut_off(session: requests.Session, tls: bool) -> None:
    def handler(connection: socket.socket) -> None:
        read_request(connection)
        whole = answer(b'{"a": "' + b"x" * 100 + b'"}')
        connection.sendall(whole[:-100])
        for byte in whole[-100:]:
            connection.sendall(bytes([byte]))
            time.sleep(0.3)  # the pace of the trickle: nothing is waited for

    with serving(handler, tls=tls) as url:
        started = time.monotonic()
        made, ended = call(session, url, 1)
    assert time.monotonic() - started < 10
    assert ended in ("ConnectionError", "ChunkedEncodingError")
    assert made.is_over


def test_a_body_without_a_length_that_was_cut_off_is_not_taken_for_whole(
    session: requests.Session,
) -> None:
    def handler(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}")
        time.sleep(3)

    with serving(handler) as url:
        made, _ = call(session, url, 0.3)
    assert made.is_over


def test_a_handshake_that_never_ends_is_cut_off_and_nothing_was_sent(
    session: requests.Session,
) -> None:
    def handler(connection: socket.socket) -> None:
        for _ in range(100):
            # One record that says it is long, a byte at a time.
            connection.sendall(b"\x16")
            time.sleep(0.3)  # the pace

    with serving(handler) as url:
        started = time.monotonic()
        made, ended = call(session, url.replace("http", "https"), 1)
    assert time.monotonic() - started < 10
    # Which of the two times that end together is noticed first is the machine's to say.
    assert ended in ("SSLError", "ConnectionError", "ReadTimeout")
    assert not made.is_connected


def test_a_failed_handshake_has_sent_nothing(session: requests.Session) -> None:
    with serving(lambda connection: connection.sendall(b"HTTP/1.0 400 Bad\r\n\r\n")) as url:
        made, ended = call(session, url.replace("http", "https"), 2)
    assert ended == "SSLError"
    assert not made.is_connected


def test_a_certificate_that_nobody_signed_has_sent_nothing(session: requests.Session) -> None:
    session.verify = True
    with serving(lambda connection: None, tls=True) as url:
        made, ended = call(session, url, 2)
    assert ended == "SSLError"
    assert not made.is_connected


def test_a_refused_connection_has_sent_nothing(session: requests.Session) -> None:
    made, ended = call(session, f"http://127.0.0.1:{free_port()}", 2)
    assert ended == "ConnectionError"
    assert not made.is_connected


def test_a_name_that_nobody_knows_has_sent_nothing(session: requests.Session) -> None:
    made, ended = call(session, "http://no-such-host.invalid", 10)
    assert ended == "ConnectionError"
    assert not made.is_connected


def test_a_connection_reset_after_the_request_may_have_sent_it(session: requests.Session) -> None:
    with serving(hang_up) as url:
        made, ended = call(session, url, 2)
    assert ended == "ConnectionError"
    assert made.is_connected
    assert not made.is_over


def hang_up(connection: socket.socket) -> None:
    read_request(connection)


@pytest.mark.parametrize("tls", [False, True])
def test_the_time_of_one_call_does_not_cut_off_the_next_on_the_same_connection(
    session: requests.Session, tls: bool
) -> None:
    connections = []
    made: list[deadline.Call] = []

    def handler(connection: socket.socket) -> None:
        connections.append(connection)
        while read_request(connection):
            wait_until(lambda: all(one.left() <= 0.01 for one in made), "the first time is over")
            connection.sendall(answer(b"{}"))

    with serving(handler, tls=tls) as url:
        first, first_ended = call(session, url, 1)
        made.append(first)
        second, second_ended = call(session, url, 20)
    assert (first_ended, second_ended) == ("{}", "{}")
    assert len(connections) == 1
    assert second.is_connected
    assert not first.is_over
    assert not second.is_over


@pytest.mark.parametrize("tls", [False, True])
def test_a_kept_alive_connection_is_limited_too(session: requests.Session, tls: bool) -> None:
    def handler(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"{}"))
        read_request(connection)
        connection.recv(1)  # nothing more is said until the caller is gone

    with serving(handler, tls=tls) as url:
        call(session, url, 5)
        started = time.monotonic()
        made, ended = call(session, url, 0.4)
    assert time.monotonic() - started < 4  # the session itself waits 5 s
    assert ended == "ConnectionError"
    assert made.is_connected
    assert made.is_over


def test_the_next_of_several_addresses_is_tried(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(one_answer(answer(b"{}"))) as url:
        port = int(url.rpartition(":")[2])
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
            for host in ("127.0.0.2", "127.0.0.3", "127.0.0.1")
        ]
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *rest, **more: found if host == "many" else real(host, *rest, **more),
        )
        made, ended = call(session, f"http://many:{port}", 3)
    assert ended == "{}"
    assert made.is_connected


def test_addresses_that_do_not_answer_share_the_time(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A listener whose queue is full: further connections are neither taken nor refused.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname())] * 8
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *rest, **more: found if host == "many" else real(host, *rest, **more),
        )
        started = time.monotonic()
        made, ended = call(session, f"http://many:{full.getsockname()[1]}", 1)
        took = time.monotonic() - started
        for one in waiting:
            one.close()
    assert ended in ("ConnectTimeout", "ConnectionError")
    assert took < 5
    assert not made.is_connected


def test_threads_have_a_limit_each(session: requests.Session) -> None:
    """One slow call among many quick ones is the only one that is cut off."""
    ended: dict[int, str] = {}

    def handler(connection: socket.socket) -> None:
        while (received := read_request(connection)) != b"":
            if b"/slow" in received:
                connection.recv(1)  # nothing is said until the caller is gone
            connection.sendall(answer(b"{}"))

    def run(number: int, url: str) -> None:
        with requests.Session() as own:
            own.mount("http://", DeadlineAdapter())
            for _ in range(20):
                _, ended[number] = call(own, f"{url}/{'slow' if number == 0 else 'quick'}", 1.5)
                if ended[number] != "{}":
                    return

    with serving(handler) as url:
        threads = [threading.Thread(target=run, args=(number, url)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ended[0] == "ConnectionError"
    assert [ended[number] for number in range(1, 8)] == ["{}"] * 7


def test_nothing_is_left_open_after_many_calls(session: requests.Session) -> None:
    def handler(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(answer(b"{}"))

    with serving(handler) as url:
        call(session, url, 5)
        before = psutil.Process().num_fds(), threading.active_count()
        for _ in range(50):
            assert call(session, url, 5)[1] == "{}"
        time.sleep(0.1)
        assert psutil.Process().num_fds() <= before[0]
        assert threading.active_count() <= before[1]


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_that_was_opened_ahead_is_the_one_that_is_used(
    session: requests.Session, tls: bool
) -> None:
    accepted: list[int] = []

    def handler(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(answer(b"{}"))

    with serving(handler, tls=tls, before=lambda: accepted.append(1)) as url:
        for _ in range(3):
            open_ahead(session, url)
            assert call(session, url, 5)[1] == "{}"
    assert len(accepted) == 1


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_that_was_opened_ahead_and_closed_by_the_server_is_opened_anew(
    session: requests.Session, tls: bool
) -> None:
    accepted: list[int] = []
    closed = threading.Event()

    def handler(connection: socket.socket) -> None:
        if len(accepted) == 1:
            connection.shutdown(socket.SHUT_RDWR)
            closed.set()
        elif read_request(connection):
            connection.sendall(answer(b"{}"))

    with serving(handler, tls=tls, before=lambda: accepted.append(1)) as url:
        open_ahead(session, url)
        assert closed.wait(10)
        assert call(session, url, 5)[1] == "{}"
    assert len(accepted) == 2


def open_ahead(session: requests.Session, url: str) -> None:
    adapter = session.get_adapter(url)
    assert isinstance(adapter, DeadlineAdapter)
    with limited_to(5):
        adapter.open_connection(url, verify=session.verify)


@withdraws
def test_what_was_not_delivered_when_the_call_ended_is_withdrawn(
    session: requests.Session,
) -> None:
    body = b"x" * 20_000_000  # more than the connection holds while nobody reads
    received: list[int | str] = []
    may_read = threading.Event()
    done = threading.Event()

    def handler(connection: socket.socket) -> None:
        may_read.wait(30)
        try:
            while piece := connection.recv(1_000_000):
                received.append(len(piece))
            received.append("end")
        except ConnectionResetError:
            received.append("reset")
        done.set()

    with serving(handler) as url, limited_to(0.5) as made:
        with pytest.raises(requests.RequestException):
            session.post(url, data=body, timeout=(5, 5))
        assert made.is_connected
        session.close()
        wait_until(lambda: not _is_kept(url), "the kernel forgets the connection")
        may_read.set()
        assert done.wait(30)

    assert received[-1] == "reset"


@withdraws
@pytest.mark.parametrize("tls", [False, True])
def test_the_kernel_waits_as_long_as_the_call_that_has_the_connection_now(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    told: list[int] = []
    real = socket.socket.setsockopt

    def setsockopt(self: socket.socket, level: int, option: int, *value: Any) -> None:
        if option == socket.TCP_USER_TIMEOUT:
            told.append(*value)
        real(self, level, option, *value)

    monkeypatch.setattr(socket.socket, "setsockopt", setsockopt)

    def handler(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(answer(b"{}"))

    with serving(handler, tls=tls) as url:
        open_ahead(session, url)  # for five seconds
        assert call(session, url, 60)[1] == "{}"
        assert call(session, url, 20)[1] == "{}"
    ahead, first, second = told[0], *told[-2:]
    assert ahead <= 5_000
    assert 20_000 < first <= 60_000
    assert 5_000 < second <= 20_000


def _is_kept(url: str) -> bool:
    """Whether the kernel still has something to deliver there."""
    port = urlsplit(url).port
    return any(one.raddr and one.raddr.port == port for one in psutil.net_connections("tcp4"))
