"""Whose turn it is: nobody who sends many forms delays those who send few.

Who is due is delivered in the order of ``turn_at``: when a form came, but of one sender no sooner
than half a minute after the turn of its last one. So two hundred forms of one address stand as if
they had come over the next hundred minutes, and whoever comes meanwhile overtakes most of them. It
takes one look at the sender's last row, costs nothing while there is no queue, and an order that is
written down holds for each single choice, whoever makes it. Nobody starves: who has sent many is
overtaken by those alone who come before its turn, at most a day later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from leads.models import Submission

#: The turns of one sender's forms are this far apart, and none further from now than that.
SPACING = timedelta(seconds=30)
FURTHEST = timedelta(days=1)


def turn_after(last: datetime | None, now: datetime) -> datetime:
    """The turn of a form that comes now from a sender whose last one has the turn ``last``."""
    return now if last is None else min(max(now, last + SPACING), now + FURTHEST)


def in_turn(rows: QuerySet[Submission]) -> QuerySet[Submission]:
    """``rows`` in the order in which they are to be delivered."""
    return rows.order_by("turn_at", "pk")
