"""Deliveries of one person follow each other at once, and put no worker to sleep."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, ledger
from amocrm.contract import LeadRequest, LeadResult, Progress
from amocrm.counters import totals
from amocrm.errors import AmoError, LockBusy, Refused, RetryLater, StillSettling
from amocrm.locks.guard import hold
from amocrm.locks.turn import is_free, only_waiter
from amocrm.sandbox.server import RunningSandbox
from leads.delivery import dispatch
from leads.delivery.attempt import Upsert, deliver
from leads.delivery.gathering import deliver_next
from leads.delivery.waiting import wake_next
from leads.models import DeliveryAttempt, Submission
from tests.leads.conftest import Create, Told
from tests.servers import RedisServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

Outcome = DeliveryAttempt.Outcome
LATER = timedelta(seconds=7)
WORKERS = 8


def lock_of(row: Submission) -> str:
    """The lock of this submission's person."""
    return ledger.resolve(conf.current().account, row.named).lock_name


def ending(error: AmoError | None) -> Upsert:
    def upsert(request: LeadRequest, progress: Progress) -> LeadResult:
        if error:
            raise error
        return LeadResult(5, "created")

    return upsert


def waiting(create: Create, lock: str, *, minutes: int = 0, **values: object) -> Submission:
    """A submission that came so long ago and comes back for the lock in a few seconds."""
    now = timezone.now()
    return create(
        created_at=now - timedelta(minutes=minutes),
        next_attempt_at=now + LATER,
        waiting_for=lock,
        waiting_since=now,
        **values,
    )


def is_due(row: Submission) -> bool:
    row.refresh_from_db()
    return row.next_attempt_at <= timezone.now()


@pytest.mark.parametrize("error", [None, Refused("never")])
@pytest.mark.needs_redis
def test_whoever_waited_longest_for_the_lock_comes_next_at_once(
    create: Create, told: Told, error: AmoError | None
) -> None:
    row = create()
    lock = lock_of(row)
    young, old = waiting(create, lock, minutes=1), waiting(create, lock, minutes=2)
    stranger = waiting(create, "amocrm:lead:a@b.kz", minutes=3)

    deliver(row.pk, upsert=ending(error))

    assert told() == 1
    assert [is_due(one) for one in (old, young, stranger)] == [True, False, False]


@pytest.mark.parametrize("error", [RetryLater("504"), StillSettling("an earlier call")])
def test_where_the_next_one_would_fare_alike_nobody_is_woken(
    create: Create, told: Told, error: AmoError
) -> None:
    row = create()
    other = waiting(create, lock_of(row))
    deliver(row.pk, upsert=ending(error))
    assert (told(), is_due(other)) == (0, False)


@pytest.mark.needs_redis
def test_who_is_at_work_already_is_not_woken(create: Create, told: Told) -> None:
    row = create()
    lock, now = lock_of(row), timezone.now()
    waiting(create, lock, minutes=2, leased_until=now + LATER, lease_token="another/1/x")
    last = waiting(create, lock, minutes=1)
    deliver(row.pk, upsert=ending(None))
    assert (told(), is_due(last)) == (1, True)


@pytest.mark.needs_redis
def test_behind_one_who_is_due_nobody_is_woken(create: Create, told: Told) -> None:
    row = create()
    lock = lock_of(row)
    first, second = waiting(create, lock, minutes=2), waiting(create, lock, minutes=1)
    Submission.objects.filter(pk=first.pk).update(next_attempt_at=timezone.now())
    deliver(row.pk, upsert=ending(None))
    assert (told(), is_due(second)) == (1, False)


@pytest.mark.needs_redis
def test_who_is_woken_in_a_transaction_is_rung_for_after_it(create: Create, told: Told) -> None:
    row = create()
    waiting(create, lock_of(row))
    with transaction.atomic():
        wake_next(row)
        assert told() == 0
    assert told() == 1


def test_without_a_broker_the_next_one_is_due_all_the_same(
    create: Create, redis_server: RedisServer
) -> None:
    row = create()
    other = waiting(create, lock_of(row))
    redis_server.kill()
    deliver(row.pk, upsert=ending(None))
    assert is_due(other)


@pytest.mark.needs_redis
def test_whoever_finds_the_lock_free_again_does_not_wait(create: Create, told: Told) -> None:
    """Its holder may have looked for waiters a moment too early."""
    row = create()
    lock = lock_of(row)
    busy = ending(LockBusy("held by another", lock_name=lock))
    with hold(lock, reference="another"):
        deliver(row.pk, upsert=busy)
    assert (told(), is_due(row)) == (0, False)
    Submission.objects.update(next_attempt_at=timezone.now())
    deliver(row.pk, upsert=busy)
    assert (told(), is_due(row)) == (1, True)


@pytest.mark.needs_redis
def test_one_thread_of_a_process_waits_for_a_lock_and_the_others_do_other_work(
    create: Create, sandbox: RunningSandbox, settings: Settings
) -> None:
    settings.LOCK_WAIT = 0
    rows = [create() for _ in range(4)]
    lock = lock_of(rows[0])
    with ThreadPoolExecutor(1) as pool, hold(lock, reference="another"):
        with only_waiter(lock):
            ends = list(pool.map(_deliver, [row.pk for row in rows]))
        assert ends == [Outcome.COME_BACK] * 4
        assert sandbox.control.requests() == []
    assert Submission.objects.filter(waiting_for=lock).count() == 4
    assert totals()["lock_busy"] == 0, "nobody went to sleep for it"


@pytest.mark.needs_redis
def test_a_lock_is_free_that_nobody_has_or_is_about_to_have(redis_server: RedisServer) -> None:
    assert is_free("amocrm:lead:a@b.kz")
    with only_waiter("amocrm:lead:a@b.kz"):
        assert not is_free("amocrm:lead:a@b.kz"), "somebody is about to take it"
    redis_server.kill()
    assert not is_free("amocrm:lead:a@b.kz")


@pytest.mark.needs_redis
def test_ten_equal_submissions_follow_each_other_without_a_sweep(
    create: Create, sandbox: RunningSandbox, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LOCK_WAIT = 30
    messages: queue.Queue[datetime | None] = queue.Queue()

    def send(found_at: datetime) -> bool:
        messages.put(found_at)
        return True

    monkeypatch.setattr(dispatch, "tell_workers", send)
    for _ in range(10):
        create()
    send(timezone.now())

    workers = [threading.Thread(target=_work, args=[messages, send]) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    wait_until(_are_all_delivered, "all are delivered")
    for _ in workers:
        messages.put(None)
    for worker in workers:
        worker.join()

    assert len(sandbox.control.state()["leads"]) == 1


def _are_all_delivered() -> bool:
    return not Submission.objects.exclude(status=Submission.Status.DELIVERED).exists()


def _work(messages: queue.Queue[datetime | None], send: Callable[[datetime], bool]) -> None:
    """A worker's thread: it does what it is told, and nothing else."""
    while found_at := messages.get():
        try:
            deliver_next(found_at, ring_on=send)
        finally:
            connection.close()


def _deliver(submission_id: UUID) -> DeliveryAttempt.Outcome | None:
    try:
        return deliver(submission_id)
    finally:
        connection.close()
