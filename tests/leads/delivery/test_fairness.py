"""Whoever sends many forms delays nobody who sends one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from amocrm.contract import LeadRequest, LeadResult, Progress
from amocrm.sandbox.server import RunningSandbox
from leads.api.throttles import LandingThrottle
from leads.delivery import fairness, sweep
from leads.delivery.attempt import deliver_leased
from leads.delivery.gathering import Outcomes, deliver_next
from leads.delivery.lease import Lease
from leads.intake import accept_submission
from leads.models import Submission
from tests.leads.conftest import Create
from tests.leads.forms import EXPRESS, SUBMIT_URL
from tests.leads.workers import worker
from tests.waiting import wait_until

SECOND = timedelta(seconds=1)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
FLOOD, HONEST = "203.0.113.66", "198.51.100.1"
#: Of two forms a second for 100 s those whose turn is within that time, 30 s apart.
BEFORE_HONEST = 4


def accept(client: str, number: int, at: datetime) -> UUID:
    """The id of a form that ``client`` sent at that time."""
    data = {"name": "Test User", "email": f"p{number}@mail.example"}
    last = Submission.objects.filter(client=client).order_by("-created_at").first()
    with time_machine.travel(at, tick=False):
        return accept_submission(
            form="express",
            data=data,
            named=(),
            idempotency_key=None,
            client=client,
            last_turn=last.turn_at if last else None,
        ).id


def flooded(forms: int = 200) -> UUID:
    """Two forms a second from one address until now, and then an honest one, whose id it is."""
    now = timezone.now()
    for number in range(forms):
        accept(FLOOD, number, now - SECOND * (forms - number) / 2)
    return accept(HONEST, forms, now)


def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
    return LeadResult(5, "created")


def deliver(leases: list[Lease]) -> Outcomes:
    return [deliver_leased(lease, upsert=upsert) for lease in leases]


def delivered_before(submission_id: UUID) -> int:
    """How many were delivered before that one."""
    order = list(Submission.objects.filter(status="delivered").order_by("delivered_at"))
    return [row.pk for row in order].index(submission_id)


@pytest.fixture
def _unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is told of a form."""
    monkeypatch.setattr("leads.intake.bell.ring", lambda: None)


@pytest.mark.both_databases
@pytest.mark.usefixtures("_unheard")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["in one pass", "one at a time"])
def test_a_flood_of_one_address_delays_nobody_else(how: str) -> None:
    honest = flooded()
    if how == "in one pass":
        sweep.deliver_due(limit=10, deliver=deliver)
    else:
        for _ in range(10):
            deliver_next(deliver=deliver)
    assert delivered_before(honest) == BEFORE_HONEST


@pytest.mark.usefixtures("_unheard")
@pytest.mark.django_db(transaction=True)
def test_who_comes_during_a_pass_need_not_wait_for_its_end() -> None:
    flooded(60)
    newcomers: list[UUID] = []

    def one(leases: list[Lease]) -> Outcomes:
        if not newcomers:
            newcomers.append(accept("192.0.2.7", 1000, timezone.now()))
        return deliver(leases)

    sweep.deliver_due(limit=5, deliver=one)
    assert Submission.objects.get(pk=newcomers[0]).status == "delivered"


@pytest.mark.needs_redis
@pytest.mark.django_db(transaction=True)
def test_a_worker_takes_whose_turn_it_is_whatever_stands_before_in_the_broker(
    process_environment: dict[str, str], sandbox: RunningSandbox
) -> None:
    honest = flooded(40)
    with worker(process_environment, "--concurrency", "1"):
        wait_until(
            lambda: Submission.objects.get(pk=honest).status == "delivered", "it is delivered"
        )
    assert delivered_before(honest) <= BEFORE_HONEST
    assert Submission.objects.filter(status="accepted").count() > 20


def test_the_turns_of_one_sender_are_apart_but_none_further_away_than_a_day() -> None:
    now = timezone.now()
    assert fairness.turn_after(None, now) == now
    assert fairness.turn_after(now, now + SECOND) == now + 30 * SECOND
    assert fairness.turn_after(now, now + 31 * SECOND) == now + 31 * SECOND
    assert fairness.turn_after(NEVER, now) == now + timedelta(days=1)


@pytest.mark.django_db
def test_a_form_has_its_turn_behind_the_last_one_of_its_sender(
    create: Create, api: APIClient
) -> None:
    last = timezone.now() + 60 * SECOND
    create(client=FLOOD, turn_at=last)

    def turn(address: str) -> datetime:
        answer = api.post(SUBMIT_URL, EXPRESS, format="json", REMOTE_ADDR=address)
        return Submission.objects.get(pk=answer.json()["leadId"]).turn_at

    LandingThrottle.heard.set(FLOOD, True)
    assert turn(FLOOD) == last + 30 * SECOND
    assert turn(FLOOD) == last + 60 * SECOND
    assert turn(HONEST) < last
