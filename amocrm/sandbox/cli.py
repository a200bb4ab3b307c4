"""Running the sandbox as a program of its own, until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from amocrm.sandbox.server import NotLoopback, start

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 3001
DEFAULT_INDEX_LAG = 2.0
DEFAULT_RPS = 7

# A sandbox starts empty, but somebody's database may remember the ids of the last one:
# first ids grow with the time of the start. Four per second leave room for a busy day.
_IDS_PER_SECOND = 4
_IDS_SINCE = 1_760_000_000


class CannotStart(Exception):
    """The sandbox could not start; the text is a sentence for whoever started it."""


def add_arguments(parser: argparse.ArgumentParser, *, default_port: int = DEFAULT_PORT) -> None:
    """Declare ``--host --port --index-lag --rps``."""
    parser.add_argument(
        "--host", default=DEFAULT_HOST, help="loopback address to listen on (%(default)s)"
    )
    parser.add_argument(
        "--port", type=_port, default=default_port, help="port to listen on (%(default)s)"
    )
    parser.add_argument(
        "--index-lag",
        type=_seconds,
        default=DEFAULT_INDEX_LAG,
        metavar="S",
        help="seconds until a written contact is findable by search (%(default)s)",
    )
    parser.add_argument(
        "--rps",
        type=_rate,
        default=DEFAULT_RPS,
        metavar="N",
        help="requests allowed in any second, 0 for no limit (%(default)s)",
    )


def serve(
    *, host: str, port: int, index_lag: float, rps: int, announce: Callable[[str], object]
) -> None:
    """Serve until SIGINT or SIGTERM. Raises :class:`CannotStart`.

    ``index_lag`` in seconds, ``rps`` requests per second (0: no limit). ``announce`` gets a
    line once the port is open. Must run in the main thread.
    """
    stop = threading.Event()

    def asked_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {
        number: signal.signal(number, asked_to_stop) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        running = start(
            port, host=host, id_shift=id_shift(time.time()), index_lag=index_lag, rps=rps
        )
    except NotLoopback as error:
        raise CannotStart(str(error)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotStart(
            f"The sandbox cannot listen on {host}:{port}: {reason}. "
            "Stop what uses that port, or choose another with --port."
        ) from None
    else:
        with running:
            announce(f"Sandbox amoCRM: {running.url} (any token will do; stop with Ctrl-C)")
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def id_shift(now: float) -> int:
    """How far to move the first ids of a sandbox started at ``now`` (epoch seconds)."""
    return max(0, int(now) - _IDS_SINCE) * _IDS_PER_SECOND


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise argparse.ArgumentTypeError(f"this is a number of seconds, 0 or more, not {text!r}")
    return found


def _rate(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"this is a whole number, 0 or more, not {text!r}")
    return int(text)
