"""A web server as it is started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.children import listens
from tests.servers import end_with_parent, free_port
from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Web:
    """A web server and where it serves."""

    process: subprocess.Popen[bytes]
    site: str


@pytest.fixture
def web(process_environment: dict[str, str]) -> Iterator[Web]:
    """A web server of this test's own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi"],
        cwd=PROJECT,
        env={**process_environment, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_parent(),
    )
    try:
        wait_until(lambda: listens(port), "the web server listens")
        yield Web(process, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(timeout=30)
