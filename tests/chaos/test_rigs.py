"""The harness itself: what it breaks must break as planned, and no further."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.children import PROJECT
from tests.chaos.rows import Rows
from tests.servers import PostgresServer

# The clock is asked for the first time when a tenth of a second has gone by, as after a slow start.
SLOW_START = """
import time
from datetime import UTC, datetime
from tests.chaos.rigged import shift_clock
shift_clock(-120)
until = time.monotonic() + 1
while time.monotonic() < until:
    pass
from time_machine import escape_hatch
print(datetime.now(UTC).timestamp() - escape_hatch.time.time())
"""


def test_a_slow_start_does_not_add_to_the_skew_of_a_clock() -> None:
    sent = subprocess.run(
        [sys.executable, "-c", SLOW_START], cwd=PROJECT, capture_output=True, text=True, check=True
    )

    assert float(sent.stdout) == pytest.approx(-120, abs=0.5)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_the_operator_does_not_wait_for_whom_only_he_can_thaw(
    database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    frozen, operator = Rows(url), Rows(url)
    frozen.change("CREATE TABLE waiting (number integer)")
    frozen.change("INSERT INTO waiting VALUES (1)")
    frozen.change("BEGIN")
    frozen.change("UPDATE waiting SET number = 2")

    assert operator.change("UPDATE waiting SET number = 3") == 0

    frozen.change("ROLLBACK")
    assert operator.change("UPDATE waiting SET number = 3") == 1
    operator.close()
    frozen.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'db.sqlite3'}"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    server = PostgresServer()
    try:
        server.start()
        yield server.url
    finally:
        server.discard()
