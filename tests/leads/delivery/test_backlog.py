"""Who is not delivered: counted, and said in the log once a minute."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import DatabaseError
from django.utils import timezone

from amocrm import conf
from amocrm.api import pause
from amocrm.diagnostics import reminders
from leads import tasks
from leads.delivery import backlog
from tests.leads.conftest import Create

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING, logger="leads.delivery.backlog"):
        yield caplog


def waiting(create: Create, seconds: float, reason: str = "") -> None:
    """Accepted so long ago, and waits for its next try."""
    now = timezone.now()
    create(
        created_at=now - timedelta(seconds=seconds),
        next_attempt_at=now + timedelta(hours=1),
        reason=reason,
    )


def test_nobody_waits() -> None:
    assert backlog.current() == backlog.Backlog()
    assert not backlog.current().is_late


def test_the_backlog_says_how_many_since_when_and_why(create: Create) -> None:
    for seconds, reason in ((10, "new"), (40, ""), (50, "502"), (300, "502"), (70, "timeout")):
        waiting(create, seconds, reason)
    create(status="failed", created_at=timezone.now() - timedelta(days=1), reason="refused")
    found = backlog.current()
    assert (found.count, found.reason, found.is_late) == (4, "502", True)
    assert 300 <= (found.oldest_seconds or 0) < 310


def test_what_came_during_a_pause_is_not_tried_and_has_its_reason(create: Create) -> None:
    waiting(create, 40)
    assert backlog.current().reason == ""
    pause.begin(conf.current().account, "token", "The token was revoked")
    assert backlog.current().reason == "amoCRM is paused: The token was revoked"


def test_the_log_says_so_once_a_minute_whoever_asks(
    create: Create, warnings: pytest.LogCaptureFixture
) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        waiting(create, 0, "amoCRM answered 502")
    said = []
    for second in range(0, 181, 2):
        with time_machine.travel(now + timedelta(seconds=second), tick=False):
            backlog.warn_if_late()
            backlog.warn_if_late()
        if warnings.messages:
            said.append(second)
            (message,) = warnings.messages
            assert f"1 submissions, the oldest for {second} s" in message
            assert message.endswith("most frequent reason: amoCRM answered 502")
            warnings.clear()
    assert said == [50, 110, 170]


def test_the_sweep_looks_for_it(create: Create, warnings: pytest.LogCaptureFixture) -> None:
    waiting(create, 60)
    tasks.sweep()
    (message,) = warnings.messages
    assert "no attempt was made" in message


def test_whoever_delivers_is_not_disturbed(
    create: Create, warnings: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise DatabaseError("gone")

    waiting(create, 60)
    monkeypatch.setattr(reminders, "is_time", fail)
    backlog.warn_if_late()
    assert warnings.records[0].exc_info


def test_a_loop_that_is_stopped_does_not_look_any_more(
    create: Create, warnings: pytest.LogCaptureFixture
) -> None:
    waiting(create, 60)
    assert backlog.while_warning(lambda: True)() is True
    assert warnings.messages == []
    assert backlog.while_warning(lambda: False)() is False
    assert len(warnings.messages) == 1


def test_a_clock_that_was_set_back_silences_nobody() -> None:
    minute = timedelta(minutes=1)
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert reminders.is_time("something", minute)
        assert not reminders.is_time("something", minute)
    assert reminders.is_time("something", minute)
    assert not reminders.is_time("something", minute)
    assert reminders.is_time("something else", minute)
