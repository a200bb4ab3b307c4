"""When amoCRM was asked, by its own clock: what it says of a row's last change is by that clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.utils import timezone

MOST_APART = timedelta(minutes=10)  # amoCRM's clock and ours


def asked_at(date: str | None, took: float) -> datetime:
    """When a call began at the latest, whose answer came after ``took`` seconds with this ``Date``
    (RFC 9110; whole seconds). Without a readable one :func:`surely_past`.

    A list that shows a change made before that moment shows every one made before it.
    """
    try:
        answered = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return surely_past()
    return answered.replace(tzinfo=answered.tzinfo or UTC) - timedelta(seconds=took)


def surely_past() -> datetime:
    """A moment that amoCRM's clock has behind it, whatever it says."""
    return timezone.now() - MOST_APART
