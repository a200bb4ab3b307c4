"""Celery's worker is started in the same way wherever it is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from celery import concurrency

from config.celery import WORKER_OPTIONS, app
from config.launcher.commands import service_processes

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("written_in", ["Procfile", "docs/deploy.md", "docs/deploy.ru.md"])
def test_the_worker_is_written_down_as_make_run_starts_it(written_in: str) -> None:
    (worker,) = (one.command for one in service_processes() if one.name == "worker")
    options = " ".join(worker[worker.index("worker") :])
    assert options == " ".join(("worker", *WORKER_OPTIONS))
    lines = (PROJECT / written_in).read_text(encoding="utf-8").splitlines()
    (written,) = (line for line in lines if "celery -A config worker" in line)
    assert written.endswith(f"celery -A config {options}")


def test_pool_and_threads_are_settings() -> None:
    assert concurrency.get_implementation(app.conf.worker_pool).__module__.endswith("thread")
    assert app.conf.worker_concurrency == 8
