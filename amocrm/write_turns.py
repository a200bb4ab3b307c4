"""Taking turns to write into SQLite, for the threads of all processes.

SQLite takes one write at a time, and whoever waits for it asks again after ever longer pauses, up
to a tenth of a second. So somebody who writes much, and begins again as soon as it has ended, gets
in before them each time. Here whoever waits asks every other millisecond, and there is a second
lock before the first, a turnstile: only who has passed it may wait for the turn, so who has just
had a turn comes behind the one who waits already.

It is a courtesy between the few who write much and those whom nobody should keep waiting; SQLite
itself sees to it that one writes at a time. So who gets no turn within :data:`LONGEST_WAIT` goes
without one: the process that has it may be frozen. The locks are on files beside the database, and
end with the process.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection

LONGEST_WAIT = 1.0  # seconds
_ASK_EVERY = 0.002  # seconds


@contextmanager
def write_turn() -> Iterator[None]:
    """A turn for the block; nothing on another database than SQLite, or within a transaction."""
    database = Path(str(connection.settings_dict["NAME"]))
    if (
        connection.vendor != "sqlite"
        or connection.in_atomic_block
        or not database.is_absolute()  # one in memory is nobody else's
    ):
        yield
        return
    give_up = time.monotonic() + LONGEST_WAIT
    turn = os.open(f"{database}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        turnstile = os.open(f"{database}-turnstile", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(turnstile, give_up)
            _lock(turn, give_up)
        finally:
            os.close(turnstile)
        yield
    finally:
        os.close(turn)


def _lock(file: int, give_up: float) -> None:
    while time.monotonic() < give_up:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_ASK_EVERY)


def ask_often(connection: Any, **_: Any) -> None:
    """Have whoever waits for SQLite ask every other millisecond: SQLite itself asks after ever
    longer pauses, and who writes much is always there before. For ``connection_created``."""
    if connection.vendor != "sqlite":
        return
    connection.connection.execute("PRAGMA busy_timeout = 0")
    if _ask_until_it_is_our_turn not in connection.execute_wrappers:
        connection.execute_wrappers.append(_ask_until_it_is_our_turn)


def _ask_until_it_is_our_turn(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    give_up = time.monotonic() + float(
        context["connection"].settings_dict["OPTIONS"].get("timeout", 5)
    )
    while True:
        try:
            return execute(sql, params, many, context)
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= give_up:
                raise
        time.sleep(_ASK_EVERY)
