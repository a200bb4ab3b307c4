"""The limit of an address is one for all web processes together."""

from __future__ import annotations

import os
import signal
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


@pytest.mark.both_databases
def test_a_process_that_has_taken_none_knows_what_others_have(web: Web) -> None:
    def post(number: int) -> int:
        form = {"name": "Test User", "phone": f"+7777111223{number}"}
        return requests.post(f"{web.site}/api/landing/submit", json=form, timeout=60).status_code

    wait_until(lambda: len(children(web.process.pid)) == workers, "its processes are there")
    first = children(web.process.pid)
    assert [post(number) for number in range(LIMIT)] == [202] * LIMIT
    # Not frozen: that might be within the database's lock.
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    # Each process lets the first one pass that it hears of.
    codes = [post(LIMIT + number) for number in range(7)]
    assert codes.count(202) <= workers < codes.count(429)
