"""Who waits for a person's lock is delivered next, and does not sit out a delay of its own."""

from __future__ import annotations

from django.utils import timezone

from amocrm import conf, ledger
from leads.delivery import dispatch, lease
from leads.models import Submission


def wake_next(submission: Submission) -> None:
    """Make due and dispatch the oldest one of those that wait for this submission's person.

    One, because they can only follow each other: its own end wakes the next one. A message that
    gets lost, or one who begins to wait just now, costs no more than its own delay.
    """
    now = timezone.now()
    waiting = lease.free(now).filter(waiting_for__in=_lock_names(submission), dispatched_at=None)
    first = waiting.order_by("created_at", "pk").values_list("pk", flat=True).first()
    if first is None:
        return
    woken = waiting.filter(pk=first).update(
        next_attempt_at=now, dispatched_at=now if dispatch.can_dispatch() else None
    )
    if woken and not dispatch.dispatch([first]):
        Submission.objects.filter(pk=first).update(dispatched_at=None)


def _lock_names(submission: Submission) -> set[str]:
    people = ledger.owners(conf.current().account, submission.named).values()
    return {ledger.read(person_id).lock_name for person_id in set(people)}
