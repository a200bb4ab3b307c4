"""Counters of what went unusually: each is also a log line, and operators see both.

A counter is a row per event and UTC day, raised by one UPDATE. Counting never fails its
caller's work: a count that cannot be made leaves the caller's transaction, if there is one, whole.
"""

from __future__ import annotations

from enum import StrEnum

from django.db import Error as DatabaseError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from amocrm.log_context import get_logger
from amocrm.models import EventCount

logger = get_logger(__name__)


class Event(StrEnum):
    """Everything that is counted."""

    LOCK_BUSY = "lock_busy"
    LOCK_LOST = "lock_lost"
    LOCK_CLEARED = "lock_cleared"
    PERSON_CHANGED = "claim_lost"
    LEASE_LOST = "lease_lost"
    FORM_REFUSED = "form_refused"
    QUARANTINED = "quarantined"
    ADOPTED = "adopted"
    RELEASED = "released"
    MERGED = "united"
    MERGE_PROPOSED = "merge_proposed"
    PARTED = "parted"
    NOT_ATTACHED = "not_attached"
    NAMES_TOO_MANY = "names_too_many"
    TWO_CONTACTS = "two_contacts"
    DUPLICATE_FOUND = "duplicate_found"
    DUPLICATE_CLOSED = "duplicate_closed"
    LEAD_LEFT = "lead_left"
    MIRROR_DISTRUSTED = "mirror_distrusted"
    STAGE_MISSING = "stage_missing"
    ACCOUNT_PAUSED = "account_paused"
    RATE_LIMITED = "rate_limited"
    LOGIN_FAILED = "login_failed"
    LOGIN_LOCKED = "login_locked"


def count(event: Event, times: int = 1) -> None:
    """Add ``times`` to today's count of ``event``. Never raises: the event has happened."""
    try:
        with transaction.atomic():
            _add(event, times)
    except DatabaseError:
        logger.exception("Could not count %s", event)


def _add(event: Event, times: int) -> None:
    today = timezone.now().date()
    rows = EventCount.objects.filter(day=today, event=event)
    if rows.update(count=F("count") + times):
        return
    try:
        with transaction.atomic():
            EventCount.objects.create(day=today, event=event, count=times)
    except IntegrityError:  # another process made today's row first
        rows.update(count=F("count") + times)


def totals() -> dict[str, int]:
    """How often each event happened today (UTC), zeros included."""
    today = EventCount.objects.filter(day=timezone.now().date())
    found = dict(today.values_list("event", "count"))
    return {str(event): found.get(event, 0) for event in Event}
