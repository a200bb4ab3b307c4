"""``manage.py deliver_leads``, as a call and as a process."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from amocrm.api import pause
from amocrm.conf import current
from leads.management.commands import deliver_leads
from leads.models import Submission
from tests.leads.conftest import Create

Watching = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def watching(process_environment: dict[str, str]) -> Iterator[Watching]:
    """Start ``deliver_leads --watch``; whatever happens, it does not outlive its test."""
    processes: list[subprocess.Popen[str]] = []

    def start(seconds: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "deliver_leads", "--watch", seconds],
            env=process_environment | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def run(**options: Any) -> str:
    out = io.StringIO()
    call_command("deliver_leads", stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.mark.django_db
def test_now_makes_due_what_waits_for_its_next_try(
    create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = timezone.now() + timedelta(hours=12)
    row = create(next_attempt_at=later, attempts=10)
    monkeypatch.setattr(deliver_leads, "deliver_due", lambda *_args, **_options: Counter())
    assert run() == "0 tries\n"
    assert Submission.objects.get(pk=row.pk).next_attempt_at == later
    assert run(now=True) == "1 waiting made due\n0 tries\n"
    row.refresh_from_db()
    assert (row.next_attempt_at <= timezone.now(), row.scheduled_at) == (True, later)


def passes(monkeypatch: pytest.MonkeyPatch, *results: Counter[str] | Exception) -> list[int]:
    """Let each pass end as given; the list grows by one with each."""
    made: list[int] = []

    def one(limit: int, *, is_stopped: Callable[[], bool]) -> Counter[str]:
        made.append(limit)
        result = results[len(made) - 1]
        if len(made) == len(results):
            signal.raise_signal(signal.SIGTERM)
            assert is_stopped()
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(deliver_leads, "deliver_due", one)
    return made


@pytest.mark.django_db
def test_nothing_due_is_said_in_a_word() -> None:
    assert run() == "0 tries\n"


@pytest.mark.django_db
def test_once_goes_on_until_nothing_more_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    full, rest = Counter(delivered=99, retry=1), Counter(delivered=3)
    made = passes(monkeypatch, full, rest)
    assert run() == "103 tries: 102 delivered, 1 retry\n"
    assert made == [100, 100]


@pytest.mark.django_db
def test_a_paused_account_is_said_to_be_paused() -> None:
    pause.begin(current().account, "token", "The token was revoked")
    assert "The account is paused: The token was revoked" in run()


@pytest.mark.django_db
def test_watching_survives_errors_and_ends_with_a_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = passes(
        monkeypatch,
        OperationalError("database gone"),
        ConnectionError("Redis gone"),
        Counter(delivered=1),
    )
    assert run(watch=0.1).splitlines()[-1] == "1 try: 1 delivered"
    assert len(made) == 3


@pytest.mark.django_db
def test_the_signal_handlers_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    passes(monkeypatch, Counter())
    run(watch=0.1)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "often", "3601"])
def test_a_wrong_interval_is_refused(seconds: str) -> None:
    with pytest.raises(CommandError, match="is not a number of seconds"):
        call_command("deliver_leads", f"--watch={seconds}")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_watching_process_ends_at_once_when_asked(
    watching: Watching, how: signal.Signals
) -> None:
    process = watching("600")
    assert process.stdout is not None
    assert "600" in process.stdout.readline()
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(how)
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < 15
    assert (process.returncode, out.splitlines()[-1]) == (0, "0 tries")


@pytest.mark.both_databases
def test_a_watching_process_without_redis_delivers_to_the_crm(
    watching: Watching, create: Create, sandbox: Any
) -> None:
    rows = [create(email=f"person{n}@onai.academy", phone=f"+7777111220{n}") for n in range(3)]
    process = watching("0.2", REDIS_ENABLED="false")
    give_up = time.monotonic() + 40
    while Submission.objects.filter(status="delivered").count() < len(rows):
        assert time.monotonic() < give_up, list(Submission.objects.values("status", "reason"))
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out.splitlines()[-1]) == (0, "3 tries: 3 delivered")
    assert Submission.objects.values("lead_id").distinct().count() == 3
