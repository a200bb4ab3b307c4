"""Celery's workers as processes, for the tests of delivering."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from config.celery import WORKER_OPTIONS
from tests.servers import end_with_parent


@contextmanager
def worker(environment: dict[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker, killed at the end of the block."""
    command = ("-m", "celery", "-q", "--skip-checks", "-A", "config", "worker", *WORKER_OPTIONS)
    process = subprocess.Popen(
        [sys.executable, *command, *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_parent(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
