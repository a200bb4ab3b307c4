"""The tasks' names, what they carry, and what they call."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from amocrm.sandbox.server import RunningSandbox
from leads import tasks


def test_the_tasks_have_the_names_that_beat_knows() -> None:
    from config.celery import app

    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    named = {tasks.deliver_due.name, tasks.sweep.name, tasks.find_duplicate_leads.name}
    assert scheduled <= named
    assert named == {
        "leads.tasks.deliver_due",
        "leads.tasks.sweep",
        "leads.tasks.find_duplicate_leads",
    }


@pytest.mark.parametrize("task", [tasks.deliver_due, tasks.sweep, tasks.find_duplicate_leads])
def test_a_message_that_is_lost_is_nothing_to_redeliver(task: Any) -> None:
    assert (task.acks_late, task.ignore_result) == (False, True)


def test_a_message_that_is_late_is_worthless() -> None:
    from config.celery import app

    beats = {
        entry["task"]: entry["options"]["expires"] for entry in app.conf.beat_schedule.values()
    }
    assert beats == {tasks.sweep.name: 360, tasks.find_duplicate_leads.name: 3600}


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.mark.django_db(transaction=True)
def test_duplicates_that_are_found_are_warned_of(
    sandbox: RunningSandbox, warnings: pytest.LogCaptureFixture
) -> None:
    contacts = [{"name": "A", "emails": ["a@b.kz"]}, {"name": "B", "emails": ["b@b.kz"]}]
    leads = [{"contact": 0}, {"contact": 0}, {"contact": 1}]
    sandbox.control.seed(contacts=contacts, leads=leads)
    tasks.find_duplicate_leads()
    assert warnings.messages == ["⚠️ People with more than one active lead: 1 (of 3 active leads)"]


@pytest.mark.django_db(transaction=True)
def test_a_search_that_was_not_possible_is_warned_of(
    sandbox: RunningSandbox, warnings: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.AMOCRM_PIPELINE_ID = 999
    tasks.find_duplicate_leads()
    (warning,) = warnings.messages
    assert warning.startswith("⚠️ Could not look for people with more than one active lead: ")
    assert "amocrm_check" in warning


@pytest.mark.django_db(transaction=True)
def test_no_duplicates_are_no_warning_and_nothing_is_written_beside_the_log(
    sandbox: RunningSandbox,
    warnings: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sandbox.control.seed(contacts=[{"name": "A", "emails": ["a@b.kz"]}], leads=[{"contact": 0}])
    tasks.find_duplicate_leads()
    assert warnings.messages == []
    assert capfd.readouterr() == ("", "")
