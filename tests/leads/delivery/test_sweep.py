"""What is due is dispatched, once in a while, and not for nothing."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from amocrm.api import pause
from amocrm.conf import current
from leads.delivery import dispatch, sweep
from leads.delivery.fairness import Deliver
from leads.models import DeliveryAttempt, Submission
from tests.leads.conftest import Create
from tests.servers import RedisServer

Outcome = DeliveryAttempt.Outcome
SECOND = timedelta(seconds=1)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.django_db
def test_due_submissions_are_dispatched_in_turn(create: Create, dispatched: list[UUID]) -> None:
    now = timezone.now()
    young, old = create(turn_at=now - SECOND), create(turn_at=now - 9 * SECOND)
    create(next_attempt_at=NEVER, turn_at=now - 20 * SECOND)
    create(status="delivered")
    create(status="failed")
    create(leased_until=NEVER)
    expired = create(turn_at=now - 5 * SECOND, leased_until=now - SECOND)
    assert sweep.dispatch_due() == 3
    assert dispatched == [old.pk, expired.pk, young.pk]


@pytest.mark.django_db
def test_what_was_dispatched_lately_is_not_dispatched_again(
    create: Create, dispatched: list[UUID]
) -> None:
    row = create()
    assert [sweep.dispatch_due(), sweep.dispatch_due()] == [1, 0]
    Submission.objects.update(dispatched_at=timezone.now() - 29 * SECOND)
    assert sweep.dispatch_due() == 0
    Submission.objects.update(dispatched_at=timezone.now() - 31 * SECOND)
    assert sweep.dispatch_due() == 1
    assert dispatched == [row.pk, row.pk]


@pytest.mark.django_db
def test_a_sweep_takes_no_more_than_its_limit(create: Create, dispatched: list[UUID]) -> None:
    rows = {create().pk for _ in range(5)}
    assert [sweep.dispatch_due(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert set(dispatched) == rows


@pytest.mark.django_db
def test_while_the_account_is_paused_nothing_is_dispatched_and_then_all_at_once(
    create: Create, dispatched: list[UUID]
) -> None:
    create()
    pause.begin(current().account, "token", "The token was revoked")
    assert sweep.dispatch_due() == 0
    assert Submission.objects.get().dispatched_at is None
    pause.resume("a test")
    assert sweep.dispatch_due() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("work", [sweep.dispatch_due, sweep.deliver_due])
def test_every_sweep_lets_the_pause_be_probed(
    work: Any, dispatched: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    probes: list[int] = []
    monkeypatch.setattr("amocrm.account.probe.probe_if_due", lambda: probes.append(1))
    work()
    assert probes == [1]


@pytest.mark.django_db
def test_a_broker_that_does_not_answer_leaves_everything_due(
    create: Create, redis_server: RedisServer, settings: Settings
) -> None:
    create()
    redis_server.kill()
    assert sweep.dispatch_due() == 0
    assert Submission.objects.get().dispatched_at is None
    redis_server.start()
    assert sweep.dispatch_due() == 0, "left alone"
    dispatch.breaker.close()
    assert sweep.dispatch_due() == 1
    Submission.objects.update(dispatched_at=None)
    settings.REDIS_ENABLED = False
    assert sweep.dispatch_due() == 0
    assert Submission.objects.get().dispatched_at is None


@pytest.mark.needs_redis
@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_sweeps_at_the_same_time_dispatch_each_submission_once(
    create: Create, dispatched: list[UUID]
) -> None:
    rows = {create().pk for _ in range(30)}
    start = threading.Barrier(8)

    def one(_: int) -> int:
        start.wait()
        try:
            return sweep.dispatch_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 30
    assert Counter(dispatched) == Counter(dict.fromkeys(rows, 1))


def ending(*outcomes: DeliveryAttempt.Outcome) -> tuple[Deliver, list[UUID]]:
    """A delivery that ends so, one after another (the last one for all that follow), and what it
    was asked for."""
    asked: list[UUID] = []

    def deliver(pk: UUID) -> DeliveryAttempt.Outcome:
        asked.append(pk)
        Submission.objects.filter(pk=pk).update(next_attempt_at=NEVER)
        return outcomes[min(len(asked), len(outcomes)) - 1]

    return deliver, asked


@pytest.mark.django_db
def test_without_celery_due_submissions_are_delivered_here(create: Create) -> None:
    now = timezone.now()
    late, early = create(turn_at=now - SECOND), create(turn_at=now - 9 * SECOND)
    create(next_attempt_at=NEVER)
    deliver, asked = ending(Outcome.RETRY, Outcome.DELIVERED)
    assert sweep.deliver_due(deliver=deliver) == Counter(retry=1, delivered=1)
    assert asked == [early.pk, late.pk]


@pytest.mark.django_db
def test_delivering_here_stops_between_two_submissions_and_at_its_limit(create: Create) -> None:
    create(), create(), create(), create()
    deliver, asked = ending(Outcome.DELIVERED)
    sweep.deliver_due(deliver=deliver, is_stopped=lambda: len(asked) == 2)
    assert len(asked) == 2
    assert sweep.deliver_due(limit=1, deliver=deliver) == Counter(delivered=1)


@pytest.mark.django_db
def test_delivering_here_ends_with_a_pause(create: Create) -> None:
    create(), create()
    deliver, _ = ending(Outcome.PAUSED)
    assert sweep.deliver_due(deliver=deliver) == Counter(paused=1)
    pause.begin(current().account, "token", "The token was revoked")
    assert sweep.deliver_due(deliver=deliver) == Counter()
