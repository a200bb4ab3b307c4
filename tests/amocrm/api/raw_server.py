"""Servers that misbehave below HTTP: a function decides what happens to each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

_authority = trustme.CA()
_certificate = _authority.issue_cert("127.0.0.1", "localhost")

Handler = Callable[[socket.socket], None]


def write_authority(path: Path) -> Path:
    """Write the certificate that vouches for these servers to ``path``."""
    _authority.cert_pem.write_to_path(path)
    return path


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP answer with JSON in it."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def read_request(connection: socket.socket) -> bytes:
    """One request without a body, empty at the end of the connection."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        piece = connection.recv(65536)
        if not piece:
            return b""
        received += piece
    return received


def one_answer(whole: bytes) -> Handler:
    """Read one request and send ``whole``, whatever was asked."""

    def handler(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(whole)

    return handler


def pump(client: socket.socket, server: socket.socket) -> None:
    """Pass on what ``client`` says to ``server`` and back, until one of them ends."""

    def pass_on(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(65536):
                other.sendall(piece)
            other.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=pass_on, args=(server, client), daemon=True)
    back.start()
    pass_on(client, server)
    back.join()


@contextmanager
def serving(
    handler: Handler, *, tls: bool = False, before: Callable[[], None] = lambda: None
) -> Iterator[str]:
    """Run ``handler`` for each connection in a thread, after ``before`` and the TLS handshake;
    answer the base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _certificate.configure_cert(context)

    def run(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            before()
            if context is None:
                handler(connection)
            else:
                with context.wrap_socket(connection, server_side=True) as secure:
                    handler(secure)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=run, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
