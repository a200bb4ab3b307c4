"""What the end of an attempt means for its submission.

Each end of ``upsert_lead`` becomes an :class:`Outcome`: what goes into the attempt's row, and
what changes on the submission. Nothing here touches the database.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from amocrm.contract import LeadResult
from amocrm.errors import (
    AccountPaused,
    AmoError,
    ComeBack,
    InBadCompany,
    LockBusy,
    OutcomeUnknown,
    Refused,
    RetryLater,
)
from amocrm.text.printable import one_line, readable, shortened
from leads.delivery.recovery import is_unanswered
from leads.delivery.retry import Chance, come_back_delay, delay_after
from leads.models import DeliveryAttempt, Submission

Kind = DeliveryAttempt.Outcome
Status = Submission.Status

_LONGEST_ERROR = 4000  # characters


@dataclass(frozen=True)
class Outcome:
    """``error`` is a sentence for operators; ``changes`` are the submission's new values.

    ``busy_lock`` is the lock that somebody else held, where that ended the attempt.
    """

    kind: DeliveryAttempt.Outcome
    changes: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    http_status: int | None = None
    request_id: str = ""
    busy_lock: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the delivery has ended, well or not."""
        return "status" in self.changes

    @property
    def is_final(self) -> bool:
        """Whether the submission needs a person now."""
        return self.changes.get("status") == Status.FAILED


def delivered(result: LeadResult, *, attempts: int) -> Outcome:
    """The outcome where the lead holds the submission."""
    changes = _no_longer_waiting() | {
        "status": Status.DELIVERED,
        "attempts": attempts + 1,
        "lead_id": result.lead_id,
        "action": result.action,
        "delivered_at": timezone.now(),
        "reason": "",
        "unanswered_at": None,
        "scheduled_at": None,
    }
    return Outcome(Kind.DELIVERED, changes)


def failed(
    error: Exception,
    *,
    attempts: int,
    cause: str = "",
    scheduled_at: datetime | None = None,
    chance: Chance = random.random,
) -> Outcome:
    """``error`` ended the attempt after ``attempts`` that count; its class says what to do.

    ``cause`` is what the last failed attempt met, where this one only came back: operators are
    shown both. ``scheduled_at`` is when the next attempt is by its schedule, where this one was an
    extra one (:mod:`leads.delivery.recovery`).
    """
    sentence = shortened(readable(str(error) or type(error).__name__), _LONGEST_ERROR)
    match error:
        case ComeBack():
            kind = Kind.PAUSED if isinstance(error, AccountPaused) else Kind.COME_BACK
            changes = _come_back(error, chance)
        case Refused():
            kind, changes = Kind.REFUSED, _give_up(attempts)
        case RetryLater():
            unknown = isinstance(error, OutcomeUnknown)
            kind = Kind.UNKNOWN if unknown else Kind.RETRY
            changes = _try_later(attempts, scheduled_at, chance)
            if is_unanswered(error):
                changes["unanswered_at"] = timezone.now()
            if isinstance(error, InBadCompany):
                changes["alone"] = True
        case _:
            sentence = f"{type(error).__name__}: {sentence}"
            kind, changes = Kind.CRASHED, _try_later(attempts, scheduled_at, chance)
            changes["alone"] = True  # what crashed it may be the company
    return Outcome(
        kind,
        {**changes, "reason": f"{cause}; since then: {sentence}" if cause else sentence},
        error=sentence,
        http_status=error.status if isinstance(error, AmoError) else None,
        request_id=one_line(error.request_id)[:128] if isinstance(error, AmoError) else "",
        busy_lock=error.lock_name if isinstance(error, LockBusy) else "",
    )


def _come_back(error: ComeBack, chance: Chance) -> dict[str, Any]:
    # While the account is paused nothing is taken, so a few seconds are right for it as well:
    # everything is due the moment the pause ends.
    now = timezone.now()
    delay = come_back_delay(chance) if error.retry_after is None else error.retry_after
    changes = _no_longer_waiting() | {"next_attempt_at": now + delay}
    if error.lock_name:
        changes["waiting_for"] = error.lock_name[:512]
        changes["waiting_since"] = Coalesce(F("waiting_since"), Value(now))
    return changes


def _try_later(attempts: int, scheduled_at: datetime | None, chance: Chance) -> dict[str, Any]:
    over = {"scheduled_at": None, "unanswered_at": None}
    if scheduled_at and scheduled_at > timezone.now():  # an extra one: as if it had not been
        return _no_longer_waiting() | over | {"next_attempt_at": scheduled_at}
    delay = delay_after(attempts + 1, chance)
    if delay is None:
        return _give_up(attempts)
    return (
        _no_longer_waiting()
        | over
        | {
            "attempts": attempts + 1,
            "next_attempt_at": timezone.now() + delay,
        }
    )


def _give_up(attempts: int) -> dict[str, Any]:
    return _no_longer_waiting() | {
        "status": Status.FAILED,
        "attempts": attempts + 1,
        "scheduled_at": None,
    }


def _no_longer_waiting() -> dict[str, Any]:
    return {"waiting_for": "", "waiting_since": None}
