"""Starting and stopping the sandbox."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any

from amocrm.sandbox.connection import Handler
from amocrm.sandbox.control_client import SandboxControl
from amocrm.sandbox.sandbox import Sandbox
from amocrm.sandbox.settings import Settings


class NotLoopback(ValueError):
    """The sandbox was asked to listen where others could reach it."""


def require_loopback(host: str) -> None:
    """Raise :class:`NotLoopback` with a sentence unless only this machine can reach ``host``."""
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    raise NotLoopback(
        f"The sandbox listens on loopback only, and {host} is not: "
        "it takes any token and shows every contact. Use 127.0.0.1."
    )


class SandboxServer(ThreadingHTTPServer):
    """Threads per connection, none of which keeps the process alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, host: str, port: int, sandbox: Sandbox) -> None:
        require_loopback(host)
        if ":" in host:
            self.address_family = socket.AF_INET6
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self.sandbox = sandbox
        super().__init__((host, port), type("BoundHandler", (Handler,), {"sandbox": sandbox}))

    def server_bind(self) -> None:
        """Bind without the reverse DNS lookup of :class:`http.server.HTTPServer`."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, to cut it when the server stops."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to print about."""

    def cut(self) -> None:
        """Stop listening and cut every connection, whatever it is waiting for."""
        self.sandbox.stopping.set()
        self.sandbox.late.drop()
        self.shutdown()
        self.server_close()
        with self._open_lock:
            still_open = list(self._open)
        for one in still_open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class RunningSandbox:
    """A sandbox serving in a thread of this process. Use as a context manager, or ``stop()``."""

    def __init__(self, server: SandboxServer) -> None:
        host, port = str(server.server_address[0]), server.server_address[1]
        self.port = port
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self.control = SandboxControl(self.url)
        self.sandbox = server.sandbox
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop at once; connections are cut. Harmless when already stopped."""
        if self._thread.is_alive():
            self._server.cut()
            self._thread.join()
        self.control.close()

    def __enter__(self) -> RunningSandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start(
    port: int = 0, *, host: str = "127.0.0.1", id_shift: int = 0, **config: Any
) -> RunningSandbox:
    """Serve in a thread; port 0 takes a free one. ``config`` is what ``/_sandbox/config`` takes.

    Raises :class:`NotLoopback`, :class:`ValueError` for a wrong setting, :class:`OSError`
    for a busy port.
    """
    sandbox = Sandbox(Settings().changed(config), id_shift=id_shift)
    return RunningSandbox(SandboxServer(host, port, sandbox))
