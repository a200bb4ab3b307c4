"""One submission is one worker's at a time, and what a loser writes changes nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
import time_machine
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, ledger
from amocrm.counters import totals
from amocrm.errors import ComeBack, LeaseLost, PersonChanged
from amocrm.identity import identities
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.create import RECORD_ATTEMPTS
from leads.delivery.attempt import deliver
from leads.delivery.lease import Lease, token_prefix
from leads.delivery.progress import SubmissionProgress
from leads.models import DeliveryAttempt, Submission
from tests.amocrm.upsert.test_superseded import once_before
from tests.leads.conftest import Create

SECOND = timedelta(seconds=1)


def row_of(submission: Submission) -> dict[str, Any]:
    return dict(Submission.objects.filter(pk=submission.pk).values().get())


@pytest.mark.django_db
def test_a_lease_lasts_two_lock_ttls(create: Create, settings: Settings) -> None:
    settings.LOCK_TTL = 30
    row = create()
    before = timezone.now()
    lease = Lease.acquire(row.pk)
    assert lease is not None
    row.refresh_from_db()
    assert row.lease_token == lease.token
    assert row.leased_until is not None
    assert before + 60 * SECOND <= row.leased_until <= timezone.now() + 60 * SECOND


@pytest.mark.django_db
def test_what_is_leased_is_nobody_elses(create: Create) -> None:
    row = create()
    assert Lease.acquire(row.pk) is not None
    before = row_of(row)
    assert Lease.acquire(row.pk) is None
    assert row_of(row) == before


@pytest.mark.django_db
def test_a_worker_whose_clock_is_behind_takes_what_is_due_by_the_senders(create: Create) -> None:
    now = timezone.now()
    row, later = create(next_attempt_at=now), create(next_attempt_at=now + 10 * SECOND)
    with time_machine.travel(now - 120 * SECOND, tick=False):
        assert Lease.acquire(row.pk) is None
        assert Lease.acquire(later.pk, ahead=120 * SECOND) is None
        assert Lease.acquire(row.pk, ahead=120 * SECOND) is not None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("until", "values"),
    [("next_attempt_at", {"reason": "502 Bad Gateway"}), ("leased_until", {})],
    ids=["what waits for its retry", "what is leased"],
)
def test_a_sender_whose_clock_is_ahead_hastens_no_worker(
    create: Create, until: str, values: dict[str, Any]
) -> None:
    """It would be tried again and again, until ours has come so far."""
    row = create(**values, **{until: timezone.now() + 60 * SECOND})
    assert Lease.acquire(row.pk, ahead=240 * SECOND) is None


@pytest.mark.django_db
def test_an_expired_lease_is_anyones(create: Create) -> None:
    row = create()
    first = Lease.acquire(row.pk)
    Submission.objects.update(leased_until=timezone.now() - SECOND)
    second = Lease.acquire(row.pk)
    assert first is not None
    assert second is not None
    assert row_of(row)["lease_token"] == second.token != first.token


@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        {"next_attempt_at": datetime(2100, 1, 1, tzinfo=UTC)},
        {"status": Submission.Status.DELIVERED},
        {"status": Submission.Status.FAILED},
    ],
    ids=lambda values: next(iter(values)) + "=" + str(next(iter(values.values()))),
)
def test_what_is_not_due_cannot_be_leased(create: Create, values: dict[str, Any]) -> None:
    row = create(**values)
    before = row_of(row)
    assert Lease.acquire(row.pk) is None
    assert row_of(row) == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    "write",
    [
        lambda progress, lease: progress.heartbeat(),
        lambda progress, lease: progress.lead_known(5, "created"),
        lambda progress, lease: progress.note_sending(timezone.now()),
        lambda progress, lease: progress.note_sending(None),
        lambda progress, lease: lease.release(status=Submission.Status.DELIVERED),
    ],
)
@pytest.mark.parametrize("lost_to", ["another worker", "an operator"])
def test_after_the_lease_is_lost_nothing_can_be_written(
    create: Create, write: Any, lost_to: str
) -> None:
    row = create()
    lease = Lease.acquire(row.pk)
    assert lease is not None
    progress = SubmissionProgress(row, lease)
    if lost_to == "another worker":
        Submission.objects.update(leased_until=timezone.now() - SECOND)
        assert Lease.acquire(row.pk) is not None
    else:
        Submission.objects.update(status=Submission.Status.FAILED)
    before = row_of(row)

    with pytest.raises(LeaseLost):
        write(progress, lease)

    assert row_of(row) == before
    assert (progress.lead_id, progress.action, progress.note_sent_at) == (None, None, None)


@pytest.mark.django_db
def test_a_lease_that_expired_unnoticed_still_holds(create: Create) -> None:
    row = create()
    lease = Lease.acquire(row.pk)
    assert lease is not None
    Submission.objects.update(leased_until=timezone.now() - SECOND)
    SubmissionProgress(row, lease).heartbeat()
    assert row_of(row)["leased_until"] > timezone.now()


@pytest.mark.django_db
def test_progress_is_kept_for_the_next_attempt(create: Create) -> None:
    row = create(waiting_for="amocrm:lead:x", waiting_since=timezone.now())
    lease = Lease.acquire(row.pk)
    assert lease is not None
    progress = SubmissionProgress(row, lease)
    sent_at = timezone.now()

    progress.heartbeat()
    progress.lead_known(5, "created")
    progress.note_sending(sent_at)

    row.refresh_from_db()
    assert (row.waiting_for, row.waiting_since) == ("", None)
    later = SubmissionProgress(row, lease)
    assert (later.lead_id, later.action, later.note_sent_at) == (5, "created", sent_at)
    progress.note_sending(None)
    row.refresh_from_db()
    assert (row.note_sent_at, progress.note_sent_at) == (None, None)


@pytest.mark.django_db
def test_several_are_leased_in_their_order_less_those_who_are_somebody_elses(
    create: Create,
) -> None:
    rows = [create().pk for _ in range(5)]
    assert Lease.acquire(rows[1]) is not None
    leases = Lease.acquire_each(rows)
    assert [lease.submission_id for lease in leases] == [rows[0], *rows[2:]]
    assert len({lease.token for lease in leases}) == 4
    assert Lease.acquire_each(rows) == []


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_of_several_either_all_are_leased_or_none(
    create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [create().pk for _ in range(3)]
    acquire = Lease.acquire

    def until_the_last(submission_id: UUID, **options: Any) -> Lease | None:
        if submission_id == max(rows):
            raise OperationalError("the connection is gone")
        return acquire(submission_id, **options)

    monkeypatch.setattr(Lease, "acquire", until_the_last)
    with pytest.raises(OperationalError):
        Lease.acquire_each(rows)
    assert set(Submission.objects.values_list("lease_token", flat=True)) == {""}


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_of_twenty_threads_one_wins_each_submission(create: Create) -> None:
    rows = [create().pk for _ in range(5)]
    start = threading.Barrier(20)

    def worker(_: int) -> list[str]:
        start.wait()
        try:
            return [str(pk) for pk in rows if Lease.acquire(pk)]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        won = [pk for wins in pool.map(worker, range(20)) for pk in wins]

    assert sorted(won) == sorted(map(str, rows))


_LEASE_AT_ONCE = """
import sys, django
django.setup()
from django.db import OperationalError, connection
from uuid import UUID
from leads.delivery.lease import Lease
connection.ensure_connection()
print("ready", flush=True)
sys.stdin.readline()
for first in range(2, len(sys.argv), size := int(sys.argv[1])):
    for lease in Lease.acquire_each([UUID(pk) for pk in sys.argv[first : first + size]]):
        print(lease.submission_id)
"""


@pytest.mark.both_databases
@pytest.mark.parametrize("at_once", [1, 10])
def test_of_two_processes_one_wins_each_submission(
    process_environment: dict[str, str], create: Create, at_once: int
) -> None:
    rows = [str(create().pk) for _ in range(40)]
    parts = [rows[first : first + at_once] for first in range(0, len(rows), at_once)]
    other_way_round = [pk for part in parts for pk in reversed(part)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _LEASE_AT_ONCE, str(at_once), *order],
            env=process_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for order in (rows, other_way_round)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    won = [worker.communicate(timeout=30)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sorted(won[0] + won[1]) == sorted(rows)


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_a_lease_that_waited_for_another_transaction_sees_what_it_did(create: Create) -> None:
    """READ COMMITTED: the second UPDATE must judge the row anew, once the first has committed."""
    from django.db import transaction

    row = create()
    results: list[Any] = []

    def late() -> None:
        try:
            results.append(Lease.acquire(row.pk))
        finally:
            connection.close()

    with transaction.atomic():
        assert Lease.acquire(row.pk) is not None
        thread = threading.Thread(target=late)
        thread.start()
        thread.join(0.3)
        assert results == []
    thread.join(30)
    assert results == [None]


# A lost lease and a changed person are two things --------------------------------------------


def taken_over() -> None:
    """Another worker has leased every submission."""
    Submission.objects.update(lease_token="another/1/x")


def named_anew() -> None:
    """Somebody else has named the person of the submissions by one more phone."""
    named = identities(emails=["test@onai.academy"], phones=["+77012223344"], region="KZ")
    ledger.resolve(conf.current().account, named)


def before_recording(do: Callable[[], None]) -> Any:
    """`do` happens between the answer to the POST and the record of the lead."""
    record = ledger.record
    done: list[bool] = []

    def late(person: ledger.PersonState, lead_id: int) -> ledger.PersonState:
        if not done:
            done.append(True)
            do()
        return record(person, lead_id)

    return mock.patch.object(ledger, "record", late)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("moment", "leads"),
    [(partial(once_before, "create_lead"), 0), (before_recording, 1)],
    ids=["at the checkpoint before the POST", "before the lead is known"],
)
def test_a_lost_lease_ends_the_delivery_at_once(
    create: Create, sandbox: RunningSandbox, moment: Any, leads: int
) -> None:
    row = create()
    requests: list[int] = []

    def lose() -> None:
        taken_over()
        requests.append(len(sandbox.control.requests()))

    with moment(lose):
        assert deliver(row.pk) == DeliveryAttempt.Outcome.COME_BACK

    assert requests == [len(sandbox.control.requests())]
    assert len(sandbox.control.state()["leads"]) == leads
    counted = totals()
    assert (counted["lease_lost"], counted["claim_lost"]) == (1, 0)
    attempt = row.delivery_attempts.get()
    assert "passed to another worker" in attempt.error
    assert row_of(row)["lease_token"] == "another/1/x"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("moment", "outcome"),
    [
        (partial(once_before, "create_lead"), DeliveryAttempt.Outcome.COME_BACK),
        (before_recording, DeliveryAttempt.Outcome.DELIVERED),
    ],
    ids=["at the checkpoint before the POST", "while the lead is recorded"],
)
def test_a_changed_person_costs_no_lease(
    create: Create, sandbox: RunningSandbox, moment: Any, outcome: DeliveryAttempt.Outcome
) -> None:
    row = create()
    with moment(named_anew):
        assert deliver(row.pk) == outcome
    counted = totals()
    assert (counted["lease_lost"], counted["claim_lost"]) == (0, 1)
    assert row_of(row)["lease_token"] == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("error", "attempts"), [(LeaseLost("lost"), 1), (PersonChanged("changed"), RECORD_ATTEMPTS)]
)
def test_only_a_changed_person_is_recorded_again(
    create: Create, sandbox: RunningSandbox, error: ComeBack, attempts: int
) -> None:
    row = create()
    with mock.patch.object(ledger, "record", side_effect=error) as record:
        assert deliver(row.pk) == DeliveryAttempt.Outcome.COME_BACK
    assert record.call_count == attempts


@pytest.mark.django_db
def test_a_token_begins_with_its_worker(create: Create) -> None:
    lease = Lease.acquire(create().pk)
    assert lease is not None
    assert lease.token.startswith(token_prefix(socket.gethostname(), os.getpid()))
    assert token_prefix("h" * 300, 17) == f"{'h' * 80}/17/"
