"""Who was accepted a while ago and is not delivered: how many, since when, and why.

What waits for its next attempt is not due, so a count of what is due says nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from amocrm.api import pause
from amocrm.diagnostics import reminders
from amocrm.log_context import get_logger
from leads.models import Submission

logger = get_logger(__name__)

# A delivery takes seconds; one that waited for a lock or failed once takes up to this.
UNDELIVERED_AFTER = timedelta(seconds=30)
# So that whoever looks at the end of the first minute is told, the log's next look included.
LATE_AFTER = timedelta(seconds=50)
WARN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Backlog:
    """``count`` submissions have been undelivered for :data:`UNDELIVERED_AFTER` or more, the
    oldest for ``oldest_seconds`` (``None`` without any). ``reason`` is the most frequent one; where
    none has been tried that of the pause, if there is one: it may name people."""

    count: int = 0
    oldest_seconds: int | None = None
    reason: str = ""

    @property
    def is_late(self) -> bool:
        """Whether somebody should know of it."""
        return (self.oldest_seconds or 0) >= LATE_AFTER.total_seconds()

    @property
    def oldest_ms(self) -> int | None:
        """The age of the oldest in milliseconds."""
        return None if self.oldest_seconds is None else self.oldest_seconds * 1000


def current() -> Backlog:
    """The backlog now."""
    now = timezone.now()
    rows = _accepted_before(now - UNDELIVERED_AFTER)
    found = rows.aggregate(count=Count("pk"), oldest=Min("created_at"))
    if found["oldest"] is None:
        return Backlog()
    return Backlog(
        count=found["count"],
        oldest_seconds=int((now - found["oldest"]).total_seconds()),
        reason=_most_frequent_reason(rows),
    )


def warn_if_late() -> None:
    """Say in the log, once a minute whichever process asks, that there is a late backlog.

    Never raises: whoever delivers has other work to do.
    """
    try:
        _warn_if_late()
    except DatabaseError:
        logger.exception("Could not look for what is not delivered")


def while_warning(is_stopped: Callable[[], bool]) -> Callable[[], bool]:
    """``is_stopped`` that also warns, for a loop whose every turn may take long."""

    def look_around() -> bool:
        if is_stopped():
            return True
        warn_if_late()
        return False

    return look_around


def _warn_if_late() -> None:
    if not _accepted_before(timezone.now() - LATE_AFTER).exists():
        return
    if not reminders.is_time("undelivered", WARN_EVERY):
        return
    backlog = current()
    logger.warning(
        "⚠️ Not delivered: %d submissions, the oldest for %d s; most frequent reason: %s",
        backlog.count,
        backlog.oldest_seconds or 0,
        backlog.reason or "no attempt was made",
    )


def _accepted_before(moment: datetime) -> QuerySet[Submission]:
    return Submission.objects.filter(status=Submission.Status.ACCEPTED, created_at__lte=moment)


def _most_frequent_reason(rows: QuerySet[Submission]) -> str:
    reasons = rows.exclude(reason="").order_by().values_list("reason")
    # Of two that are as frequent always the same one: the page must not flicker.
    row = reasons.annotate(times=Count("pk")).order_by("-times", "reason").first()
    if row:
        return str(row[0])
    paused = pause.current()  # nothing is tried until it ends
    return f"amoCRM is paused: {paused.reason}" if paused else ""
