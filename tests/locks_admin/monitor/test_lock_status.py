"""What a lock means: its state, and who waits."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from amocrm.locks.holder import Holder
from leads.delivery import lease
from leads.models import Submission
from locks_admin.masking import Masker
from locks_admin.monitor import lock_status
from locks_admin.monitor.filters import BadFilter, LockFilter, ordered
from locks_admin.monitor.lock_status import State
from tests.locks_admin.conftest import Locks

FULL, MASKED = Masker(full=True), Masker(full=False)


def states() -> dict[str, State]:
    """The state of each lock, by the part of its name before the @."""
    return {row.name.split(":")[2].split("@")[0]: row.state for row in lock_status.read()}


def test_each_state_is_told(locks: Locks) -> None:
    for state in ("live", "overdue", "orphan", "unknown"):
        locks.put(f"{state}@b.kz:77771112233", state=state)
    assert states() == {state.value: state for state in State}


@pytest.mark.parametrize(
    "change",
    [
        {"status": Submission.Status.DELIVERED},
        {"lease_token": "web-2/4711/0123456789abcdef"},
        {"lease_token": "web-1/47110/0123456789abcdef"},
        {"leased_until": None},
        {"leased_until": timezone.now() - timedelta(seconds=1)},
    ],
    ids=["delivered", "another host", "another process", "given up", "claim expired"],
)
def test_a_lock_is_orphaned_once_its_holder_does_not_deliver_its_submission(
    locks: Locks, change: dict[str, object]
) -> None:
    locks.put("a@b.kz:7")
    assert states() == {"a": State.LIVE}
    Submission.objects.update(**change)
    assert states() == {"a": State.ORPHAN}


def test_the_lock_of_a_process_that_was_killed_is_orphaned_though_its_claim_stands(
    locks: Locks,
) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    for name, pid in (("dead", killed.pid), ("alive", os.getpid())):
        submission = Submission.objects.create(form_id="proftest", name="Test User")
        holder = replace(Holder.here(str(submission.pk)), pid=pid)
        submission.lease_token = lease.token_prefix(holder.host, pid) + "0123456789abcdef"
        submission.leased_until = timezone.now() + timedelta(seconds=90)
        submission.save(update_fields=["lease_token", "leased_until"])
        locks.redis.set(f"lock:amocrm:lead:{name}@b.kz:7", holder.encode(), ex=55)
    assert states() == {"dead": State.ORPHAN, "alive": State.LIVE}


def test_waiting_counts_accepted_submissions_and_knows_since_when(locks: Locks) -> None:
    name = locks.put("a@b.kz:7")
    locks.put("c@d.kz:8")
    locks.wait(name, seconds=5)
    locks.wait(name, seconds=60)
    locks.wait(name, seconds=90)
    delivered = Submission.objects.filter(waiting_for=name).order_by("waiting_since").first()
    assert delivered is not None
    delivered.status = Submission.Status.DELIVERED
    delivered.save(update_fields=["status"])
    busy, free = lock_status.read()
    assert (busy.waiting, free.waiting) == (2, 0)
    assert busy.waiting_since is not None
    waited = (timezone.now() - busy.waiting_since).total_seconds()
    assert 55 < waited < 75
    assert free.waiting_since is None


def test_stale_are_the_overdue_and_the_orphaned(locks: Locks) -> None:
    for state in ("live", "overdue", "orphan", "unknown"):
        locks.put(f"{state}@b.kz:7", state=state)
    stale = LockFilter(stale=True).apply(lock_status.read(), FULL)
    assert {row.state for row in stale} == {State.OVERDUE, State.ORPHAN}


def test_older_than_never_means_a_lock_whose_age_nobody_knows(locks: Locks) -> None:
    for state in ("live", "overdue", "unknown"):
        locks.put(f"{state}@b.kz:7", state=state)
    rows = lock_status.read()

    def older_than(seconds: float) -> set[State]:
        return {row.state for row in LockFilter(older_than=seconds).apply(rows, FULL)}

    assert older_than(0) == {State.LIVE, State.OVERDUE}
    assert older_than(100) == {State.OVERDUE}
    assert older_than(1000) == set()


def test_many_locks_take_as_few_queries_as_one(
    locks: Locks, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for at in range(30):
        locks.put(f"p{at}@b.kz:7")
    with django_assert_num_queries(2):
        assert len(lock_status.read()) == 30


def test_with_redis_disabled_there_are_no_locks(locks: Locks, settings: Settings) -> None:
    name = locks.put()
    settings.REDIS_ENABLED = False
    assert lock_status.read() == []
    assert lock_status.read_one(name) is None


def test_one_lock_can_be_read_alone_and_only_if_it_is_ours(locks: Locks) -> None:
    name = locks.put()
    locks.redis.set("lock:celery", "x")
    found = lock_status.read_one(name)
    assert found is not None
    assert found.state is State.LIVE
    assert lock_status.read_one("celery") is None
    assert lock_status.read_one("amocrm:lead:nobody") is None


def test_sorting_keeps_locks_without_an_age_or_an_end_in_their_place(locks: Locks) -> None:
    locks.put("old@b.kz:7", state="overdue", ttl=10)
    locks.put("new@b.kz:7", ttl=None)
    locks.put("odd@b.kz:7", state="unknown", ttl=30)
    rows = lock_status.read()

    def order(sort: str) -> list[str]:
        return [row.name.split(":")[2][:3] for row in ordered(rows, sort, FULL)]

    assert order("-held") == ["old", "new", "odd"]
    assert order("left") == ["old", "odd", "new"]
    assert order("person") == order("nonsense") == ["new", "odd", "old"]


@pytest.mark.parametrize(
    "params",
    [{"state": "dead"}, {"stale": "maybe"}, {"older_than": "-1"}, {"older_than": "nan"}],
)
def test_a_filter_that_makes_no_sense_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(BadFilter):
        LockFilter.read(params)


def test_masked_people_cannot_be_found_by_their_whole_name(locks: Locks) -> None:
    locks.put("secret@b.kz:77771112233")
    rows = lock_status.read()
    whole, part = LockFilter(query="secret@b.kz"), LockFilter(query="SE***@b.kz")
    assert len(whole.apply(rows, FULL)) == 1
    assert whole.apply(rows, MASKED) == []
    assert len(part.apply(rows, MASKED)) == 1
