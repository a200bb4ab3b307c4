"""Celery's workers, as processes: one message is enough for all that is due."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from celery.signals import worker_shutting_down
from django.utils import timezone

from amocrm.sandbox.server import RunningSandbox
from leads import tasks
from leads.delivery import dispatch
from leads.models import Submission
from tests.leads.conftest import Create
from tests.leads.delivery.test_dispatch import messages_in
from tests.leads.workers import worker
from tests.servers import RedisServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.needs_redis, pytest.mark.django_db(transaction=True)]

SEARCH = {"method": "GET", "path": "/api/v4/contacts"}


def people(create: Create, count: int) -> list[Submission]:
    """So many submissions of different people."""
    return [
        create(email=f"person{number}@mail.example", phone=f"+7701{number:07d}")
        for number in range(count)
    ]


def tell() -> None:
    """One message to the workers."""
    assert dispatch.tell_workers(timezone.now())


def delivered() -> int:
    """How many are."""
    return Submission.objects.filter(status="delivered").count()


def test_one_message_brings_everything_that_is_due(
    process_environment: dict[str, str], create: Create, sandbox: RunningSandbox
) -> None:
    rows = people(create, 20)
    tell()
    with worker(process_environment):
        wait_until(lambda: delivered() == len(rows), "all are delivered")
    assert len(sandbox.control.state()["leads"]) == len(rows)


def test_of_eight_one_that_hangs_delays_nobody(
    process_environment: dict[str, str], create: Create, sandbox: RunningSandbox
) -> None:
    hanging = people(create, 8)[0]
    query = hanging.email.partition("@")[0]
    sandbox.control.fault(**SEARCH, action="delay", query_has=query, delay=18)
    tell()
    with worker(process_environment | {"AMOCRM_TIMEOUT": "20"}):
        wait_until(lambda: delivered() == 7, "the others are delivered")
        hanging.refresh_from_db()
        assert hanging.status == "accepted"
        assert hanging.lease_token, "it was the first one"


def test_a_lost_message_costs_a_sweep(
    process_environment: dict[str, str],
    create: Create,
    sandbox: RunningSandbox,
    redis_server: RedisServer,
) -> None:
    people(create, 3)
    tell()
    redis_server.flush()
    tasks.sweep()
    assert len(messages_in(redis_server)) == 1
    with worker(process_environment):
        wait_until(lambda: delivered() == 3, "all are delivered")


def test_a_worker_that_is_stopped_ends_what_it_does_and_begins_nothing(
    process_environment: dict[str, str], create: Create, sandbox: RunningSandbox
) -> None:
    people(create, 40)
    sandbox.control.fault(**SEARCH, action="delay", delay=0.5, times=-1)
    tell()
    with worker(process_environment, "--concurrency", "2") as process:
        wait_until(lambda: delivered() > 0, "it works")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert 0 < delivered() < 20
    assert set(Submission.objects.values_list("lease_token", flat=True)) == {""}


def test_whoever_gathers_in_a_worker_hears_that_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Callable[[], bool]] = []
    monkeypatch.setattr(
        tasks, "deliver_next", lambda _found_at, *, is_stopped, **_: asked.append(is_stopped)
    )
    tasks.deliver_due(timezone.now().isoformat())
    assert not asked[0]()
    try:
        worker_shutting_down.send(sender="a worker", sig="SIGTERM", how="Warm", exitcode=0)
        assert asked[0]()
    finally:
        tasks._is_stopping.clear()
