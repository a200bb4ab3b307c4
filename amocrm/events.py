"""Counters of what went unusually: each is also a log line, and operators see both.

A counter is a row per event and UTC day, raised by one UPDATE. Counting never fails its
caller's work: a count that cannot be made leaves the caller's transaction, if there is one, whole.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from enum import StrEnum

from django.db import Error as DatabaseError
from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.utils import timezone

from amocrm.models import EventCount

logger = logging.getLogger(__name__)


class Event(StrEnum):
    """Everything that is counted."""

    LOCK_BUSY = "lock_busy"
    LOCK_LOST = "lock_lost"
    LOCK_CLEARED = "lock_cleared"
    CLAIM_LOST = "claim_lost"
    ADOPTED = "adopted"
    RELEASED = "released"
    UNITED = "united"
    TWO_CONTACTS = "two_contacts"
    DUPLICATE_FOUND = "duplicate_found"
    DUPLICATE_CLOSED = "duplicate_closed"
    LEAD_LEFT = "lead_left"
    ACCOUNT_PAUSED = "account_paused"
    RATE_LIMITED = "rate_limited"


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


def totals(days: int = 1) -> dict[str, int]:
    """How often each event happened in the last ``days`` UTC days, zeros included."""
    since = timezone.now().date() - timedelta(days=days - 1)
    found = dict(
        EventCount.objects.filter(day__gte=since)
        .values_list("event")
        .annotate(total=Sum("count"))
        .values_list("event", "total")
    )
    return {str(event): found.get(event, 0) for event in Event}
