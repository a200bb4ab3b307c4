"""Who waits for a person's lock is delivered next, and does not sit out a delay of its own."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from amocrm import conf, ledger
from leads.delivery import lease
from leads.delivery.bell import bell
from leads.models import Submission


def wake_next(submission: Submission) -> None:
    """Make due the oldest one of those that wait for this submission's person, and ring for it.

    One, because they can only follow each other: its own end wakes the next one. A ring that gets
    lost, or one who begins to wait just now, costs no more than its own delay.
    """
    now = timezone.now()
    if not lease.free(now).filter(waiting_for__gt="").exists():
        return  # nearly always
    waiting = lease.free(now).filter(waiting_for__in=_lock_names(submission))
    first = waiting.order_by("created_at", "pk").values_list("pk", flat=True).first()
    if first is not None and waiting.filter(pk=first).update(next_attempt_at=now):
        transaction.on_commit(bell.ring)


def _lock_names(submission: Submission) -> set[str]:
    people = ledger.owners(conf.current().account, submission.named).values()
    return {ledger.read(person_id).lock_name for person_id in set(people)}
