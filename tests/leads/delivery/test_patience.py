"""An outcome that is unknown is waited for with few looks, and with few rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from amocrm.errors import StillSettling
from amocrm.sandbox.server import RunningSandbox
from leads.delivery import outcomes
from leads.delivery.attempt import deliver
from leads.models import DeliveryAttempt, Submission
from tests.leads.conftest import Create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

Outcome = DeliveryAttempt.Outcome
COMPLEX = "/api/v4/leads/complex"


def delivered_in_time(row: Submission) -> list[float]:
    """Deliver whenever it is due; the seconds since it was made at which that was tried."""
    began, tried_at = row.created_at, []
    for _ in range(100):
        row.refresh_from_db()
        if row.status != Submission.Status.ACCEPTED:
            return tried_at
        tried_at.append((row.next_attempt_at - began).total_seconds())
        with time_machine.travel(max(row.next_attempt_at, timezone.now())):
            deliver(row.pk, chance=lambda: 0.5)
    raise AssertionError("it is tried again and again")


def test_one_lost_create_costs_a_handful_of_looks(create: Create, sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", method="POST", path=COMPLEX, status=502)
    row = create()

    tried_at = delivered_in_time(row)

    assert len(tried_at) <= 7
    assert 300 < tried_at[-1] < 310, "made anew as soon as the first one cannot come any more"
    assert len(sandbox.control.state()["leads"]) == 1


def test_one_lost_note_costs_a_handful_of_looks(create: Create, sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", method="POST", path=r"/api/v4/leads/\d+/notes", status=502)
    row = create()

    tried_at = delivered_in_time(row)

    assert len(tried_at) <= 7
    assert 300 < tried_at[-1] < 310
    assert len(sandbox.control.state()["notes"]) == 1


def test_a_lead_that_arrives_late_is_adopted_at_the_next_look(
    create: Create, sandbox: RunningSandbox
) -> None:
    sandbox.control.fault("apply_late", method="POST", path=COMPLEX, delay=3600)
    row = create()
    deliver(row.pk)
    sandbox.control.apply_late()

    tried_at = delivered_in_time(row)

    assert tried_at[-1] < 10
    assert len(sandbox.control.state()["leads"]) == 1


def test_who_knows_when_to_come_back_is_believed(create: Create) -> None:
    error = StillSettling("an earlier call", retry_after=timedelta(seconds=90))
    before = timezone.now()
    at: datetime = outcomes.failed(error, attempts=1).changes["next_attempt_at"]
    assert timedelta(seconds=90) <= at - before < timedelta(seconds=91)
