"""The workers are told of what is due, once for all of it, and not for nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import Settings

from amocrm.api import pause
from amocrm.conf import current
from amocrm.models import AccountState
from leads.delivery import dispatch, sweep
from leads.delivery.gathering import Deliver, Outcomes
from leads.delivery.lease import Lease
from leads.models import DeliveryAttempt
from tests.leads.conftest import Create, Told
from tests.servers import RedisServer

Outcome = DeliveryAttempt.Outcome
SECOND = timedelta(seconds=1)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.needs_redis
@pytest.mark.django_db
def test_one_message_tells_of_everything_that_is_due(create: Create, told: Told) -> None:
    create(), create(), create(leased_until=timezone.now() - SECOND)
    assert sweep.ring_if_due()
    assert told() == 1


@pytest.mark.needs_redis
@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        {"next_attempt_at": NEVER},
        {"status": "delivered"},
        {"status": "failed"},
        {"leased_until": NEVER},
    ],
    ids=lambda values: next(iter(values)),
)
def test_nobody_is_told_of_what_is_not_due(
    create: Create, told: Told, values: dict[str, Any]
) -> None:
    create(**values)
    assert not sweep.ring_if_due()
    assert told() == 0


def paused() -> None:
    pause.begin(current().account, "token", "The token was revoked")


def asked_to_slow_down() -> None:
    pause.rate_limited(current().account, 30, "429")


@pytest.mark.needs_redis
@pytest.mark.django_db
@pytest.mark.parametrize("hold_up", [paused, asked_to_slow_down])
def test_while_amocrm_is_not_to_be_asked_nothing_is_taken_and_then_all_at_once(
    create: Create, told: Told, hold_up: Callable[[], None]
) -> None:
    create()
    hold_up()
    deliver, asked = ending(Outcome.DELIVERED)
    assert not sweep.ring_if_due()
    assert sweep.deliver_due(deliver=deliver) == Counter()
    assert (told(), asked) == (0, [])
    pause.resume("a test")
    AccountState.objects.update(backoff_until=timezone.now())
    assert sweep.ring_if_due()
    assert sweep.deliver_due(deliver=deliver) == Counter(delivered=1)


@pytest.mark.django_db
@pytest.mark.parametrize("work", [sweep.ring_if_due, sweep.deliver_due])
def test_every_sweep_lets_the_pause_be_probed(
    work: Any, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes: list[int] = []
    monkeypatch.setattr("amocrm.account.probe.probe_if_due", lambda: probes.append(1))
    work()
    assert probes == [1]


@pytest.mark.needs_redis
@pytest.mark.django_db
def test_a_broker_that_does_not_answer_is_left_alone(
    create: Create, redis_server: RedisServer, settings: Settings
) -> None:
    create()
    redis_server.kill()
    assert not sweep.ring_if_due()
    redis_server.start()
    assert not sweep.ring_if_due(), "left alone"
    dispatch.breaker.close()
    assert sweep.ring_if_due()
    settings.REDIS_ENABLED = False
    assert not sweep.ring_if_due()


def ending(*outcomes: DeliveryAttempt.Outcome) -> tuple[Deliver, list[UUID]]:
    """A delivery that ends so, one after another (the last one for all that follow), and what it
    was asked for."""
    asked: list[UUID] = []

    def deliver(leases: list[Lease]) -> Outcomes:
        ends: Outcomes = []
        for taken in leases:
            asked.append(taken.submission_id)
            taken.release(next_attempt_at=NEVER)
            ends.append(outcomes[min(len(asked), len(outcomes)) - 1])
        return ends

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


@pytest.mark.django_db
def test_delivering_here_tells_nobody_to_help(create: Create, told: Told) -> None:
    """Where no worker runs, nobody would take the messages."""
    create(), create()
    deliver, _ = ending(Outcome.DELIVERED)
    sweep.deliver_due(deliver=deliver)
    assert told() == 0
