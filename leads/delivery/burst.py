"""How far a crowd is: for the page, and for a line in the log a few times a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError
from django.utils import timezone

from amocrm.diagnostics import reminders
from amocrm.log_context import get_logger
from leads.delivery import lease
from leads.delivery.lease import HANDFUL
from leads.models import Submission

logger = get_logger(__name__)

SAY_EVERY = timedelta(seconds=15)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Progress:
    """``due`` wait to be delivered now, ``under_way`` are being delivered; ``a_minute`` were within
    the last one."""

    due: int
    under_way: int
    a_minute: int

    @property
    def left(self) -> timedelta | None:
        """How long it takes at that pace until the last of them is in; ``None``: nobody knows."""
        if not self.a_minute:
            return None
        return _MINUTE * ((self.due + self.under_way) / self.a_minute)


def progress() -> Progress | None:
    """How far the crowd is; ``None`` where there is none."""
    now = timezone.now()
    accepted = Submission.objects.filter(status=Submission.Status.ACCEPTED)
    due, under_way = lease.due(now).count(), accepted.filter(leased_until__gt=now).count()
    if due + under_way <= HANDFUL:
        return None
    a_minute = Submission.objects.filter(delivered_at__gt=now - _MINUTE).count()
    return Progress(due, under_way, a_minute)


def report() -> None:
    """Say in the log how far it is, four times a minute whichever process asks. Never raises:
    whoever delivers has other work to do."""
    try:
        if reminders.is_time("burst", SAY_EVERY) and (found := progress()):
            left = (
                f"about {found.left.total_seconds():.0f} s left" if found.left else "pace unknown"
            )
            logger.info(
                "📦 A crowd: %d delivered within a minute, %d under way, %d due, %s",
                found.a_minute,
                found.under_way,
                found.due,
                left,
            )
    except DatabaseError:
        logger.exception("Could not look how far the crowd is")
