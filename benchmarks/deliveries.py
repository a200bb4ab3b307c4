"""Delivering: how many a second with and without locks, and what each asks of others."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import partial
from uuid import UUID

from django.test.utils import override_settings

from benchmarks.ground import Ground
from benchmarks.table import Row, Section
from benchmarks.timing import Timing, timed
from leads.delivery.attempt import deliver
from leads.intake import accept_submission
from leads.models import DeliveryAttempt
from tests.round_trips import round_trips

PAIRS = 50
_numbers = itertools.count(1)


def per_second() -> Section:
    """One worker thread, everybody new: with locks in Redis, and by the claim alone."""
    ids = [_accept_new() for _ in range(2 * PAIRS + 1)]
    _deliver(ids.pop())  # the account's shape is read once and kept
    with_locks = by_claim = Timing(())
    for _ in range(PAIRS):  # in turns, so that a busy machine is equally busy for both
        with_locks += Timing((timed(partial(_deliver, ids.pop())),))
        with override_settings(REDIS_ENABLED=False):
            by_claim += Timing((timed(partial(_deliver, ids.pop())),))
    baseline = Row("claim alone (REDIS_ENABLED=false)", 1 / by_claim.median, "a second")
    locked = Row("with locks and the shared limiter", 1 / with_locks.median, "a second")
    title = f"Deliveries of new people, one thread: by the median of {PAIRS}"
    return Section(title, [baseline, locked.against(baseline)])


def requests_each(place: Ground) -> Section:
    """Requests to the CRM for one submission, counted by the sandbox."""
    _deliver(_accept_new())
    number = next(_numbers)
    new = _counted(place, _accept(number))
    again = _counted(place, _accept(number))
    with override_settings(PHONE_SEARCH="all"):
        thorough = _counted(place, _accept_new())
    baseline = _row("a new person", new)
    rows = [
        baseline,
        _row("the same person again", again).against(baseline),
        _row("a new person, PHONE_SEARCH=all", thorough).against(baseline),
    ]
    return Section("Requests to the CRM for one submission", rows)


def round_trips_each() -> Section:
    """Round trips to Redis of one delivery: lock, its history, limiter; counted here."""
    number = next(_numbers)
    first, again = _accept(number), _accept(number)
    with round_trips() as new:
        _deliver(first)
    with round_trips() as same:
        _deliver(again)
    baseline = _row("a new person", new, unit="round trips")
    rows = [baseline, _row("the same person again", same, unit="round trips").against(baseline)]
    return Section("Round trips to Redis for one delivery", rows)


def _counted(place: Ground, submission_id: UUID) -> Counter[str]:
    before = len(place.control.requests())
    _deliver(submission_id)
    return Counter(request["method"] for request in place.control.requests()[before:])


def _row(name: str, counts: Counter[str], *, unit: str = "requests") -> Row:
    kinds = ", ".join(f"{count} {method}" for method, count in sorted(counts.items()))
    return Row(name, counts.total(), unit, note=kinds)


def _accept_new() -> UUID:
    return _accept(next(_numbers))


def _accept(number: int) -> UUID:
    data = {
        "name": "Test User",
        "email": f"client{number}@bench.example",
        "phone": f"+7702{number:07d}",
    }
    accepted = accept_submission(form="proftest", data=data, named=(), idempotency_key=None)
    return accepted.id


def _deliver(submission_id: UUID) -> None:
    outcome = deliver(submission_id)
    if outcome != DeliveryAttempt.Outcome.DELIVERED:
        raise RuntimeError(f"submission {submission_id} was not delivered but {outcome}")
