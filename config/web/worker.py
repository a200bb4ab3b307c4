"""The web server's worker: waitress inside gunicorn.

gunicorn starts, watches and ends the processes; waitress speaks to the senders. It reads every
request whole before one of its threads has to do with it, so whoever sends slowly, or nothing at
all, costs a connection and no thread. gunicorn's own threads wait for the sender of each request.
"""

from __future__ import annotations

import os
import resource
import time
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

# Seconds that a request may take to arrive, and that a connection may say nothing.
READ_SECONDS = 30
SILENCE_SECONDS = 30
CLEANUP_SECONDS = 5
MOST_CONNECTIONS = 4000  # of one process
MOST_HEADERS = 16 * 1024  # bytes; what forms may have, the application limits
MOST_BODY = 10 * 1024 * 1024
_OTHER_FILES = 200  # the database, Redis, logs
_LOOK_SECONDS = 1.0


def allow_connections(many: int = MOST_CONNECTIONS) -> None:
    """Let this process have so many open at once, as far as the system's hard limit goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = many + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class WebWorker(Worker):
    """One process; ``threads`` of gunicorn's configuration answer its requests."""

    def run(self) -> None:
        """Serve until gunicorn says that it is over, and answer what has arrived by then."""
        allow_connections()
        connections: dict[int, Any] = {}
        tasks = ThreadedTaskDispatcher()
        tasks.set_thread_count(self.cfg.threads)
        servers = [
            DeadlineServer(
                self.wsgi,
                map=connections,
                _sock=listener.sock,
                dispatcher=tasks,
                adj=_adjustments(),
                sockinfo=(listener.sock.family, listener.sock.type, 0, listener.sock.getsockname()),
                bind_socket=False,
            )
            for listener in self.sockets
        ]
        while self.alive and self.ppid == os.getppid():
            self.notify()
            wasyncore.loop(timeout=_LOOK_SECONDS, use_poll=True, map=connections, count=1)
        for _ in range(3):  # what has arrived is accepted and read
            wasyncore.loop(timeout=0, use_poll=True, map=connections, count=1)
        for server in servers:
            server.accepting = False
        give_up = time.monotonic() + self.cfg.graceful_timeout
        while _is_answering(servers) and time.monotonic() < give_up:
            wasyncore.loop(timeout=0.1, use_poll=True, map=connections, count=1)
        tasks.shutdown(timeout=1)


class DeadlineChannel(HTTPChannel):
    """A connection that knows when its request began to arrive."""

    began = 0.0

    def received(self, data: bytes) -> bool:
        """Some bytes of a request, perhaps its first."""
        if self.request is None:
            self.began = time.time()
        return bool(super().received(data))


class DeadlineServer(TcpWSGIServer):
    """Closes connections that say nothing, and those whose request does not come to its end."""

    channel_class = DeadlineChannel

    def maintenance(self, now: float) -> None:
        """Every :data:`CLEANUP_SECONDS`, at ``now`` in seconds since the epoch."""
        super().maintenance(now)
        for channel in self.active_channels.values():
            if channel.request is not None and channel.began < now - READ_SECONDS:
                channel.will_close = True


def _adjustments() -> Adjustments:
    return Adjustments(
        host="127.0.0.1",  # not listened at: gunicorn hands the sockets over
        connection_limit=MOST_CONNECTIONS,
        cleanup_interval=CLEANUP_SECONDS,
        channel_timeout=SILENCE_SECONDS,
        max_request_header_size=MOST_HEADERS,
        max_request_body_size=MOST_BODY,
        # Whose word counts on the address and the scheme is for Django to judge, by
        # TRUSTED_PROXIES.
        clear_untrusted_proxy_headers=False,
        ident=None,
    )


def _is_answering(servers: list[DeadlineServer]) -> bool:
    return any(
        channel.requests or channel.total_outbufs_len
        for server in servers
        for channel in server.active_channels.values()
    )
