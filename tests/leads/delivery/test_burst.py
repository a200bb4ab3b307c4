"""How far a crowd is, and what the log says of it."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, mirror
from amocrm.api.client import connect
from amocrm.models import MirrorState
from amocrm.sandbox.server import RunningSandbox
from leads.delivery import burst
from leads.delivery.attempt import deliver_together
from leads.delivery.gathering import deliver_gathered
from leads.delivery.lease import HANDFUL, Lease
from leads.models import Submission
from tests.leads.conftest import Create

pytestmark = pytest.mark.django_db(transaction=True)


def people(create: Create, count: int) -> list[Submission]:
    return [
        create(email=f"person{number}@mail.example", phone=f"+7701{number:07d}")
        for number in range(count)
    ]


def test_a_handful_is_no_crowd(create: Create) -> None:
    people(create, HANDFUL)
    assert burst.progress() is None


def test_how_far_a_crowd_is(create: Create) -> None:
    rows = people(create, 10)
    for row in rows[:2]:
        assert Lease.acquire(row.pk)
    now = timezone.now()
    for row, ago in zip(rows[2:6], (1, 20, 59, 61), strict=True):
        row.status, row.delivered_at = row.Status.DELIVERED, now - timedelta(seconds=ago)
        row.save()

    found = burst.progress()

    assert found == burst.Progress(due=4, under_way=2, a_minute=3)
    assert found.left == timedelta(minutes=2)


def test_without_a_pace_nobody_knows_when_the_last_is_in(create: Create) -> None:
    people(create, 10)
    found = burst.progress()
    assert found
    assert found.left is None


def test_the_log_says_how_far_a_crowd_is_and_names_each_person_once(
    create: Create,
    sandbox: RunningSandbox,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.BURST = "auto"
    with connect(conf.current()) as crm:
        mirror.walk(crm, conf.current())
    MirrorState.objects.update(comparisons=1000)
    rows = people(create, 10)
    leases = [lease for row in rows if (lease := Lease.acquire(row.pk))]

    with caplog.at_level(logging.DEBUG):
        deliver_gathered(leases[:6])
        deliver_together(leases[6:])

    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert [line for line in told if "A crowd" in line] == [
        "📦 A crowd: 0 delivered within a minute, 10 under way, 0 due, pace unknown"
    ]
    for row in rows:
        (line,) = (line for line in told if str(row.email) in line)
        assert line.startswith("📬 Delivered: lead ID")
        lines = (record.getMessage() for record in caplog.records)
        assert any("[LOCK]" in line for line in lines if row.email in line)


def test_the_log_says_it_four_times_a_minute(
    create: Create, caplog: pytest.LogCaptureFixture
) -> None:
    people(create, 10)
    with caplog.at_level(logging.INFO):
        burst.report()
        burst.report()
    assert len([record for record in caplog.records if "A crowd" in record.getMessage()]) == 1
