"""Whose delivery it is: leases on submissions, each one conditional ``UPDATE``.

A lease is acquired where there is none or an expired one and extended while its token still
stands in the row; everything written under it is conditional on that token.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from amocrm.errors import LeaseLost
from amocrm.write_turns import write_turn
from leads import conf
from leads.models import Submission

_LONGEST_HOST = 80  # characters that a token keeps of the host's name
NOT_AHEAD = timedelta()
#: So many that are due are no crowd: each goes at once.
HANDFUL = 5


def due(now: datetime, *, ahead: timedelta = NOT_AHEAD) -> QuerySet[Submission]:
    """Submissions whose next attempt is due and that nobody has leased.

    ``ahead`` is how far the clock is ahead of ours that found something due. What was not tried yet
    is due by that clock; anything else waits by the clock of a worker, and would be tried again and
    again as long as a clock that is ahead says so.
    """
    is_due = Q(next_attempt_at__lte=now)
    if ahead:
        is_due |= Q(next_attempt_at__lte=now + ahead, reason="")
    return free(now).filter(is_due)


def free(now: datetime) -> QuerySet[Submission]:
    """Submissions that are to be delivered, now or later, and that nobody has leased."""
    unleased = Q(leased_until=None) | Q(leased_until__lte=now)
    return Submission.objects.filter(unleased, status=Submission.Status.ACCEPTED)


@dataclass(frozen=True)
class Lease:
    """The right to deliver one submission, for as long as ``token`` stands in its row."""

    submission_id: UUID
    token: str

    @classmethod
    def acquire(cls, submission_id: UUID, *, ahead: timedelta = NOT_AHEAD) -> Lease | None:
        """Lease a submission; ``None`` if it is not due (see :func:`due`) or leased already."""
        now = timezone.now()
        token = token_prefix(socket.gethostname(), os.getpid()) + secrets.token_hex(8)
        acquired = (
            due(now, ahead=ahead)
            .filter(pk=submission_id)
            .update(leased_until=now + conf.current().lease_time, lease_token=token)
        )
        return cls(submission_id, token) if acquired else None

    @classmethod
    def acquire_each(
        cls, submission_ids: Sequence[UUID], *, ahead: timedelta = NOT_AHEAD
    ) -> list[Lease]:
        """Lease these in one transaction, whoever of them is due and nobody's; in their order."""
        with write_turn(), transaction.atomic():
            leases = {
                submission_id: lease
                for submission_id in sorted(submission_ids)  # in one order everywhere: no deadlocks
                if (lease := cls.acquire(submission_id, ahead=ahead))
            }
        return [
            leases[submission_id] for submission_id in submission_ids if submission_id in leases
        ]

    def write(self, **values: Any) -> None:
        """Change the row if the lease still holds. Raises :class:`LeaseLost`."""
        leased = Submission.objects.filter(
            pk=self.submission_id, status=Submission.Status.ACCEPTED, lease_token=self.token
        )
        if leased.update(**values) != 1:
            raise LeaseLost("the lease on this submission passed to another worker")

    def extend(self, **values: Any) -> None:
        """Extend it by another full term, writing ``values`` too. Raises :class:`LeaseLost`."""
        self.write(leased_until=timezone.now() + conf.current().lease_time, **values)

    def release(self, **values: Any) -> None:
        """End the lease, writing ``values`` too. Raises :class:`LeaseLost`."""
        self.write(leased_until=None, lease_token="", **values)


def token_prefix(host: str, pid: int) -> str:
    """How the tokens of all leases of one process begin."""
    return f"{host[:_LONGEST_HOST]}/{pid}/"
