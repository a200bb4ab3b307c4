"""Taking turns to write into SQLite, for the threads of all processes.

SQLite takes one write at a time, and whoever waits for it asks again after ever longer pauses, up
to a tenth of a second. So somebody who writes much, and begins again as soon as it has ended, gets
in before them each time: while a crowd was delivered, a form took three seconds. Here whoever
waits asks every other millisecond, and there is a second lock before the first, a turnstile: only
who has passed it may wait for the turn, so who has just had a turn comes behind the one who waits
already.

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
from typing import Any

from django.db import OperationalError, connection

LONGEST_WAIT = 1.0  # seconds
_ASK_EVERY = 0.002  # seconds
_SQLITE_WAITS = 5.0  # seconds, where nobody says otherwise


@contextmanager
def write_turn() -> Iterator[None]:
    """A turn for the block; nothing on another database than SQLite, or within a transaction."""
    database = str(connection.settings_dict["NAME"])
    if (
        connection.vendor != "sqlite"
        or connection.in_atomic_block
        or not os.path.isabs(database)  # one in memory is nobody else's
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
    """Have whoever waits for SQLite itself ask every other millisecond, too. A receiver of
    ``connection_created``."""
    if connection.vendor == "sqlite":
        connection.connection.execute("PRAGMA busy_timeout = 0")
        if _ask_again not in connection.execute_wrappers:
            connection.execute_wrappers.append(_ask_again)


def _ask_again(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """For as long as the settings say, as SQLite would."""
    options = context["connection"].settings_dict["OPTIONS"]
    give_up = time.monotonic() + options.get("timeout", _SQLITE_WAITS)
    while True:
        try:
            return execute(sql, params, many, context)
        except OperationalError as error:
            if str(error) != "database is locked" or time.monotonic() >= give_up:
                raise
        time.sleep(_ASK_EVERY)
