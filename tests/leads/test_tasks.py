"""The tasks' names, what they carry, and what they call."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError

from amocrm.sandbox.server import RunningSandbox
from leads import tasks


def test_the_tasks_have_the_names_that_beat_knows() -> None:
    from config.celery import app

    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    named = {tasks.deliver_submission.name, tasks.sweep.name, tasks.find_duplicate_leads.name}
    assert scheduled <= named
    assert named == {
        "leads.tasks.deliver_submission",
        "leads.tasks.sweep",
        "leads.tasks.find_duplicate_leads",
    }


@pytest.mark.parametrize(
    "task", [tasks.deliver_submission, tasks.sweep, tasks.find_duplicate_leads]
)
def test_a_message_that_is_lost_is_nothing_to_redeliver(task: Any) -> None:
    assert (task.acks_late, task.ignore_result) == (False, True)


def test_a_message_that_is_late_is_worthless() -> None:
    from config.celery import app

    beats = {
        entry["task"]: entry["options"]["expires"] for entry in app.conf.beat_schedule.values()
    }
    assert beats == {tasks.sweep.name: 360, tasks.find_duplicate_leads.name: 3600}


def test_one_submission_is_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    delivered: list[UUID] = []
    monkeypatch.setattr(tasks, "deliver", delivered.append)
    wanted = uuid4()
    tasks.deliver_submission(str(wanted))
    assert delivered == [wanted]


@pytest.mark.parametrize(
    ("ending", "warning"),
    [
        (SystemExit(1), "⚠️ People with more than one active lead: 2 people"),
        (
            CommandError("no answer", returncode=2),
            "⚠️ Could not look for people with more than one active lead: no answer",
        ),
    ],
)
def test_duplicates_that_are_found_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    ending: BaseException,
    warning: str,
) -> None:
    def command(name: str, stdout: Any, stderr: Any) -> None:
        stdout.write("a table\n2 people\n")
        raise ending

    monkeypatch.setattr(tasks, "call_command", command)
    with caplog.at_level(logging.WARNING):
        tasks.find_duplicate_leads()
    assert [record.getMessage() for record in caplog.records] == [warning]


@pytest.mark.parametrize("ending", [None, SystemExit(0)])
def test_no_duplicates_are_no_warning(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    ending: BaseException | None,
) -> None:
    def command(name: str, stdout: Any, stderr: Any) -> None:
        if ending:
            raise ending

    monkeypatch.setattr(tasks, "call_command", command)
    with caplog.at_level(logging.WARNING):
        tasks.find_duplicate_leads()
    assert caplog.records == []


@pytest.mark.django_db(transaction=True)
def test_the_nightly_search_writes_nothing_beside_the_log(
    sandbox: RunningSandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox.control.seed(contacts=[{"name": "A", "emails": ["a@b.kz"]}])
    tasks.find_duplicate_leads()
    assert capfd.readouterr() == ("", "")
