"""A limit to the whole of one HTTP call, which ``requests`` alone does not have.

Its timeout starts again with every byte, and with every address of a host, so an answer that
trickles would hold a worker for ever. Here a timer shuts the connection down when the time is
over, and the kernel stops delivering what was written into it. The same connection classes know
whether a request can have been sent at all, which decides whether a create may be repeated.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

_calls = threading.local()


class Call:
    """One HTTP call: until when it may last and how far it came.

    ``is_connected``: connected, with TLS where the host speaks it, so that the request may have
    left. ``is_over``: the time ran out, and whatever was read since is not to be trusted.
    """

    def __init__(self, seconds: float) -> None:
        self.is_connected = False
        self.is_over = False
        self._ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._run_out)
        self._timer.daemon = True

    def start(self) -> None:
        """Let the time run."""
        self._timer.start()

    def left(self) -> float:
        """Seconds until the time is over, never below a hundredth."""
        return max(0.01, self._ends_at - time.monotonic())

    def watch(self, sock: socket.socket) -> None:
        """Shut the connection of ``sock`` down when the time is over.

        Watched is a duplicate, because TLS takes ``sock`` itself away. It is ours alone, so
        its number cannot come to mean another connection while the timer looks at it.
        """
        with self._lock:
            self._let_go()
            self._watched = socket.fromfd(sock.fileno(), sock.family, sock.type)
            if self.is_over:
                _shut_down(self._watched)

    def finish(self) -> None:
        """The call has ended: whatever its connection does next is not ours to stop."""
        self._timer.cancel()
        with self._lock:
            self._let_go()

    def _run_out(self) -> None:
        with self._lock:
            self.is_over = True
            if self._watched is not None:
                _shut_down(self._watched)

    def _let_go(self) -> None:
        if self._watched is not None:
            self._watched.close()
            self._watched = None


def _deliver_within(seconds: float, sock: socket.socket) -> None:
    """Let the kernel give up what the peer has not acknowledged for so long.

    It goes on for minutes otherwise, after we closed the connection or were killed, and a create
    would arrive when its claim has been given back (tcp(7), TCP_USER_TIMEOUT; only Linux has it).
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = max(1, round(seconds * 1000))  # 0 would mean the kernel's own minutes
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was first
        sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def limited_to(seconds: float) -> Iterator[Call]:
    """The HTTP call made in this block by this thread ends within ``seconds``.

    Looking up the host's name is the one part that cannot be cut short.
    """
    call = Call(seconds)
    call.start()
    _calls.current = call
    try:
        yield call
    finally:
        _calls.current = None
        call.finish()


class _Watched(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self._mark_connected()

    def _new_conn(self) -> socket.socket:
        call = _current_call()
        if call is None:
            return super()._new_conn()
        sock = self._reach_any_address(call)
        call.watch(sock)
        return sock

    def _reach_any_address(self, call: Call) -> socket.socket:
        """Try the host's addresses one after another, but not longer than the call may last."""
        host, timeout = self._dns_host, self.timeout
        longest = float(timeout) if isinstance(timeout, int | float) else call.left()
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(host, self, cast("socket.gaierror", error)) from error
        refusal: Exception = NewConnectionError(self, f"{host} has no address")
        try:
            for number, address in enumerate(found):
                # What is left, shared by the addresses that are left.
                self.timeout = min(longest, call.left() / (len(found) - number))
                self._dns_host = str(address[4][0])
                try:
                    return super()._new_conn()
                except (ConnectTimeoutError, NewConnectionError) as error:
                    refusal = error
        finally:
            self._dns_host, self.timeout = host, timeout
        raise refusal

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # kept alive from an earlier call
            self._mark_connected()
            if call := _current_call():
                call.watch(self.sock)
        super().putrequest(*args, **kwargs)

    def _mark_connected(self) -> None:
        if call := _current_call():
            call.is_connected = True
            _deliver_within(call.left(), self.sock)  # anew: others had this connection before


class _WatchedTLS(_Watched, HTTPSConnection):
    @property
    def is_connected(self) -> bool:
        """Whether an idle connection is open still.

        urllib3 takes whatever can be read for the end. TLS 1.3 sends session tickets after the
        handshake, so each connection opened ahead would be thrown away.
        """
        return super().is_connected or self._has_read_only_tickets()

    def _has_read_only_tickets(self) -> bool:
        if self.sock is None:
            return False
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            self.sock.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        finally:
            self.sock.settimeout(timeout)
        return False  # the end, or an answer to nothing


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLS


class DeadlineAdapter(HTTPAdapter):
    """Mount on a ``requests.Session`` to make :func:`limited_to` work with it."""

    def open_connection(self, url: str, *, verify: bool | str | None) -> None:
        """Connect to the host of ``url``, where no connection to it is open and idle.

        Raises what connecting raises: ``OSError`` and urllib3's ``HTTPError``.
        """
        request = requests.Request("GET", url).prepare()
        pool = cast(HTTPConnectionPool, self.get_connection_with_tls_context(request, verify))
        # What the pool does before each request, without the request.
        connection = pool._get_conn()
        try:
            if connection.is_closed:
                connection.connect()
        except BaseException:
            connection.close()
            raise
        finally:
            pool._put_conn(connection)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pools from the watched connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def _current_call() -> Call | None:
    return cast("Call | None", getattr(_calls, "current", None))
