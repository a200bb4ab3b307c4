"""Whose turn it is: nobody who sends many forms delays those who send few.

Who is due is delivered in the order of ``turn_at``: when a form came, but of one sender no sooner
than half a minute after the turn of its last one. So two hundred forms of one address stand as if
they had come over the next hundred minutes, and whoever comes meanwhile overtakes most of them. It
takes one look at the sender's last row, costs nothing while there is no queue, and an order that is
written down holds for each single choice, whoever makes it. Nobody starves: who has sent many is
overtaken by those alone who come before its turn, at most a day later.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from leads.delivery import lease
from leads.delivery.attempt import deliver
from leads.models import DeliveryAttempt, Submission

#: The turns of one sender's forms are this far apart, and none further from now than that.
SPACING = timedelta(seconds=30)
FURTHEST = timedelta(days=1)

# Other workers choose at the same moment: each of these may be taken before we are.
_CANDIDATES = 10

Deliver = Callable[[UUID], DeliveryAttempt.Outcome | None]


def turn_after(last: datetime | None, now: datetime) -> datetime:
    """The turn of a form that comes now from a sender whose last one has the turn ``last``."""
    return now if last is None else min(max(now, last + SPACING), now + FURTHEST)


def in_turn(rows: QuerySet[Submission]) -> QuerySet[Submission]:
    """``rows`` in the order in which they are to be delivered."""
    return rows.order_by("turn_at", "pk")


def deliver_next(deliver: Deliver = deliver) -> DeliveryAttempt.Outcome | None:
    """Attempt once to deliver the due submission whose turn it is; ``None`` if none is due."""
    while candidates := _next():
        for submission_id in candidates:
            outcome = deliver(submission_id)
            if outcome is not None:
                return outcome
        # Each of them was somebody else's by then, so the work goes on.
    return None


def _next() -> list[UUID]:
    rows = in_turn(lease.due(timezone.now()))
    return list(rows.values_list("pk", flat=True)[:_CANDIDATES])
