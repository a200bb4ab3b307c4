"""The limit of an address is one for all web processes together."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from config.gunicorn import workers
from tests.config.conftest import Web
from tests.waiting import wait_until

LIMIT = 3


@pytest.fixture
def process_environment(process_environment: dict[str, str]) -> dict[str, str]:
    """As usual, with a limit."""
    return {**process_environment, "LANDING_THROTTLE": f"{LIMIT}/hour"}


def children(process: int) -> list[int]:
    """The processes that it has started."""
    return [
        int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


@contextmanager
def frozen(process: int) -> Iterator[None]:
    """While one process takes no requests, the others do."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.mark.both_databases
def test_what_one_process_has_taken_counts_in_the_other(web: Web) -> None:
    def post(number: int) -> int:
        form = {"name": "Test User", "phone": f"+7777111223{number}"}
        return requests.post(f"{web.site}/api/landing/submit", json=form, timeout=60).status_code

    master = web.process.pid
    wait_until(lambda: len(children(master)) == workers == 2, "both processes are there")
    one, other = children(master)
    with frozen(one):
        assert [post(number) for number in range(LIMIT)] == [202] * LIMIT
    with frozen(other):
        assert post(LIMIT) == 429
