"""Turns to write into SQLite, between real processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.db.backends.sqlite3.base import DatabaseWrapper

from amocrm import write_turns
from amocrm.write_turns import ask_often, write_turn

# Takes turns without end, begins anew at once, and tells of each on standard output.
GREEDY = """
import sys
import time
from types import SimpleNamespace
from amocrm import write_turns
write_turns.connection = SimpleNamespace(
    vendor="sqlite", in_atomic_block=False, settings_dict={"NAME": sys.argv[1]}
)
while True:
    with write_turns.write_turn():
        print("turn", flush=True)
        time.sleep(0.005)  # it writes
        if len(sys.argv) > 2:
            sys.stdin.read()
"""


class Here:
    """A connection to that file, as far as a turn looks at one."""

    vendor = "sqlite"
    in_atomic_block = False

    def __init__(self, name: Path) -> None:
        self.settings_dict = {"NAME": name}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """The connection of this process."""
    connection = Here(tmp_path / "db.sqlite3")
    monkeypatch.setattr(write_turns, "connection", connection)
    return connection


@pytest.fixture
def database(here: Here) -> Path:
    """The file whose turns are taken."""
    return here.settings_dict["NAME"]


@contextmanager
def another(database: Path, *keeping: str) -> Iterator[subprocess.Popen[str]]:
    """A process that takes turns; `keeping` the first one."""
    with subprocess.Popen(
        [sys.executable, "-c", GREEDY, str(database), *keeping],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "turn\n"
            yield process
        finally:
            process.kill()


def test_who_waits_comes_before_who_has_just_had_a_turn(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_turns, "LONGEST_WAIT", 60.0)
    turns = []
    with another(database) as process:
        for _ in range(5):
            _told_by(process)
            with write_turn():
                # One is under way when we come, and one may have passed the turnstile.
                turns.append(_told_by(process, longest=0).count("turn"))
    assert sum(turns) <= 3 * len(turns)


def _told_by(process: subprocess.Popen[str], *, longest: float | None = None) -> str:
    """What it has told since the last time; waits for at most so many seconds for the first."""
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], longest)
    return os.read(process.stdout.fileno(), 1 << 20).decode() if ready else ""


def test_nobody_waits_for_a_frozen_process(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_turns, "LONGEST_WAIT", 0.05)
    with another(database, "keeping") as process:
        process.send_signal(signal.SIGSTOP)
        with write_turn():
            pass  # at the latest now


def test_a_turn_ends_with_its_process(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_turns, "LONGEST_WAIT", 60.0)
    with another(database, "keeping"):
        pass
    with write_turn():
        pass


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("vendor", "postgresql"),
        ("in_atomic_block", True),
        ("settings_dict", {"NAME": "file:memorydb?mode=memory"}),
    ],
)
def test_nobody_else_takes_turns(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, value: object
) -> None:
    monkeypatch.setattr(here, attribute, value)
    with write_turn():
        assert list(tmp_path.iterdir()) == []


# Waiting for SQLite itself ------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path, db: None) -> Iterator[list[DatabaseWrapper]]:
    """Two connections to one file."""
    options = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
    settings = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "db.sqlite3"),
        "OPTIONS": options,
        "ATOMIC_REQUESTS": False,
        "AUTOCOMMIT": True,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "TIME_ZONE": None,
        "USER": "",
        "PASSWORD": "",
        "HOST": "",
        "PORT": "",
    }
    connections = [DatabaseWrapper(settings, alias) for alias in ("one", "other")]
    for one in connections:
        one.connect()
        ask_often(one)
    with connections[0].cursor() as cursor:
        cursor.execute("CREATE TABLE things (name text)")
    yield connections
    for one in connections:
        one.close()


@pytest.mark.django_db
def test_who_waits_for_sqlite_asks_often(
    two: list[DatabaseWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    with one.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                cursor.execute("COMMIT")

        monkeypatch.setattr(time, "sleep", sleep)
        with other.cursor() as waiting:
            waiting.execute("INSERT INTO things VALUES ('late')")

    assert pauses == [0.002] * 3


@pytest.mark.django_db
def test_who_waits_for_too_long_is_told(
    two: list[DatabaseWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    other.settings_dict["OPTIONS"] = {"timeout": 0}
    with one.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        with other.cursor() as waiting, pytest.raises(OperationalError, match="locked"):
            waiting.execute("INSERT INTO things VALUES ('never')")


@pytest.mark.django_db
def test_every_connection_of_ours_asks_often() -> None:
    connection.ensure_connection()

    if connection.vendor == "sqlite":
        assert write_turns._ask_again in connection.execute_wrappers
