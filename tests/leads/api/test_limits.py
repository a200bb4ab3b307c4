"""How many forms are taken from one sender."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from leads.api.throttles import LandingThrottle
from leads.models import Submission
from tests.leads.conftest import Create
from tests.leads.forms import EXPRESS, SUBMIT_URL

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

SENDER = "192.0.2.1"


def seconds(settings: Settings, rate: str) -> int:
    """How long the sender has to wait; 0: not at all."""
    settings.LANDING_THROTTLE = rate
    return LandingThrottle().seconds_left(Submission.objects.filter(client=SENDER))


@pytest.fixture
def sent(create: Create) -> Any:
    """Let the sender have sent a form so many seconds ago."""
    now = timezone.now()

    def one(ago: float, client: str = SENDER) -> None:
        create(client=client, created_at=now - timedelta(seconds=ago))

    with time_machine.travel(now, tick=False):
        yield one


def test_forms_may_be_sent_again_one_by_one_as_others_get_old(
    sent: Any, settings: Settings
) -> None:
    for ago in (59.5, 40, 0):
        sent(ago)
    sent(0, "192.0.2.2")
    assert [seconds(settings, f"{number}/min") for number in (4, 3, 2, 1)] == [0, 1, 20, 60]


@pytest.mark.parametrize(
    ("rate", "unit"), [("1/sec", 1), ("1/min", 60), ("1/hour", 3600), ("1/day", 86400)]
)
def test_every_unit_of_the_setting_is_understood(
    sent: Any, settings: Settings, rate: str, unit: int
) -> None:
    sent(unit + 0.1)
    assert seconds(settings, rate) == 0
    sent(0)
    assert seconds(settings, rate) == unit


def test_a_clock_that_was_set_back_locks_nobody_out(sent: Any, settings: Settings) -> None:
    sent(-7200)
    assert seconds(settings, "1/min") == 0
    sent(-30)
    assert seconds(settings, "1/min") == 60, "and no wait is longer than the unit"


def post(api: APIClient, number: int = 0, **changes: str) -> Any:
    """A form from an address of its own."""
    body = EXPRESS | {"source": f"page {number}"} | changes
    return api.post(SUBMIT_URL, body, format="json", REMOTE_ADDR=f"198.51.100.{number}")


def test_without_the_database_nobody_knows_and_it_is_503(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(LandingThrottle, "lately", broken)
    answer = post(api)
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
