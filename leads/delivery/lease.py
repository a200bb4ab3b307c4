"""Whose delivery it is: claims on submissions, each one conditional ``UPDATE``.

A claim is a lease. It is taken where there is none or an expired one, extended while its
token still stands in the row, and everything written under it is conditional on that token.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from amocrm import counters
from amocrm.errors import ClaimLost
from leads import conf
from leads.models import Submission

_LONGEST_HOST = 80  # characters that a token keeps of the host's name


def due(now: datetime) -> QuerySet[Submission]:
    """Submissions that are to be tried now and that nobody is at."""
    return _free(now).filter(next_attempt_at__lte=now)


def _free(now: datetime) -> QuerySet[Submission]:
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    return Submission.objects.filter(free, status=Submission.Status.ACCEPTED)


@dataclass(frozen=True)
class Claim:
    """The right to deliver one submission, for as long as ``token`` stands in its row."""

    submission_id: UUID
    token: str

    def write(self, **values: Any) -> None:
        """Change the row if the claim still holds. Raises :class:`ClaimLost`."""
        held = Submission.objects.filter(
            pk=self.submission_id, status=Submission.Status.ACCEPTED, claim_token=self.token
        )
        if held.update(**values) != 1:
            counters.count(counters.Event.CLAIM_LOST)
            raise ClaimLost("the claim on this submission passed to another worker")

    def extend(self, **values: Any) -> None:
        """Hold on for another full term, writing ``values`` too. Raises :class:`ClaimLost`."""
        self.write(claimed_until=timezone.now() + conf.current().claim_for, **values)

    def give_up(self, **values: Any) -> None:
        """End the claim, writing ``values`` too. Raises :class:`ClaimLost`."""
        self.write(claimed_until=None, claim_token="", **values)


def worker_of(host: str, pid: int) -> str:
    """How the tokens of everything that one process claims begin."""
    return f"{host[:_LONGEST_HOST]}/{pid}/"


def take(submission_id: UUID) -> Claim | None:
    """Claim a submission; ``None`` if it is not due or somebody is at it.

    One that a sweep has rung for is due: our clock may be behind that of whoever found it so.
    """
    now = timezone.now()
    token = worker_of(socket.gethostname(), os.getpid()) + secrets.token_hex(8)
    taken = (
        _free(now)
        .filter(Q(next_attempt_at__lte=now) | Q(rung_at__isnull=False), pk=submission_id)
        .update(claimed_until=now + conf.current().claim_for, claim_token=token)
    )
    return Claim(submission_id, token) if taken else None
