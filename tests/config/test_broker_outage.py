"""Celery's processes outlive a Redis that dies, comes back, or stops answering; publishing to
such a Redis takes half a second at most. With real processes and a real Redis."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError

from config.celery import WORKER_OPTIONS, app
from tests.servers import RedisServer, end_with_parent

PROJECT = Path(__file__).resolve().parents[2]
BEAT_DB = 5


@contextmanager
def celery(log: Path, *arguments: str, redis_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Celery process on that Redis database."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-q", "-A", "config", *arguments],
            cwd=PROJECT,
            env={**os.environ, "REDIS_URL": redis_url},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent(),
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(holds: Callable[[], bool], what: str, log: Path, seconds: float = 30) -> None:
    """Wait until it holds; fail with the process's output otherwise."""
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, f"{what}\n{log.read_text()[-4000:]}"
        time.sleep(0.1)


def send(mark: Path) -> None:
    """Send the task as a form that is accepted sends its own."""
    with app.connection_for_write(
        transport_options=settings.DISPATCH_TRANSPORT_OPTIONS
    ) as connection:
        app.send_task(
            "tests.config.message_tasks.leave_mark",
            (str(mark),),
            connection=connection,
            retry=False,
            expires=60,
        )


def test_worker_and_beat_go_on_after_a_crash_and_a_freeze_of_redis(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    worker_log, beat_log = tmp_path / "worker.log", tmp_path / "beat.log"

    def worker_works(when: str) -> None:
        mark = tmp_path / f"mark {when}"
        send(mark)
        eventually(mark.exists, f"the worker does nothing {when}", worker_log)

    def beat_beats(when: str) -> None:
        client = redis_server.client(BEAT_DB)
        client.flushdb()
        eventually(lambda: bool(client.llen("lead-gateway:leads")), f"no beat {when}", beat_log)
        client.close()

    worker = ("worker", *WORKER_OPTIONS, "--include", "tests.config.message_tasks")
    schedule = ("--schedule", str(tmp_path / "schedule"))
    with (
        celery(worker_log, *worker, redis_url=redis_server.url(0)) as first,
        celery(beat_log, "beat", *schedule, redis_url=redis_server.url(BEAT_DB)) as second,
    ):
        worker_works("at first")
        beat_beats("at first")

        redis_server.kill()
        time.sleep(3)
        redis_server.start()
        worker_works("after a crash")
        beat_beats("after a crash")

        redis_server.pause()
        time.sleep(8)
        redis_server.resume()
        worker_works("after a freeze")
        beat_beats("after a freeze")

        assert first.poll() is None
        assert second.poll() is None
    for log in (worker_log, beat_log):
        assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_a_message_that_cannot_be_sent_says_so_at_once(
    redis_server: RedisServer, tmp_path: Path, how: str
) -> None:
    getattr(redis_server, how)()
    begun = time.monotonic()
    with pytest.raises(OperationalError):
        send(tmp_path / "mark")
    assert time.monotonic() - begun < 4
