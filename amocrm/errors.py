"""What can go wrong, sorted by what the caller should do about it.

::

    AmoError
    ├── ComeBack              not an attempt: try again in a few seconds, or when it says so
    │   ├── LockBusy          somebody else holds the person's lock
    │   ├── LockLost          the lock was lost, cleared or expired under us
    │   ├── LockUnavailable   Redis does not answer (fail closed)
    │   ├── PersonChanged     the person changed in the ledger while we looked
    │   ├── LeaseLost         the delivery passed to another worker
    │   ├── StillSettling     an earlier call may still be carried out
    │   ├── GoAlone           it cannot go on together with others
    │   └── AccountPaused     everybody waits: until when and why is in the account state
    ├── RetryLater            a failed attempt: the schedule decides when to try again
    │   ├── NotDone           the request surely changed nothing
    │   │   ├── RateLimited   one 429: every process backs off for a moment
    │   │   └── InBadCompany  amoCRM refused a batch for what others in it were
    │   ├── LeadGone          the lead was deleted while we worked on it
    │   └── OutcomeUnknown    a write whose answer was lost: look before writing again
    └── Refused               only a person can help; shown in amoCRM's words
        ├── Rejected          a validation error: which fields and why
        ├── Forbidden         this one lead or contact may not be changed by us
        └── NobodyToIdentify  no e-mail or phone that identifies anybody
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Self, TypeVar

E = TypeVar("E", bound="AmoError")


class AmoError(Exception):
    """Base of everything this app raises on purpose.

    ``str(error)`` is a sentence for operators; it never holds a token. ``not_done`` is true
    when the call that raised it has surely changed nothing in the CRM.
    """

    not_done: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.status: int | None = None
        self.request_id = ""
        self.crm_message = ""

    def __copy__(self) -> Self:
        """Another one that says the same: an exception rebuilds itself of its message alone."""
        same = self.__class__.__new__(self.__class__, *self.args)
        same.__dict__.update(self.__dict__)
        return same

    def recast(self, kind: type[E]) -> E:
        """The same trouble as another class, for who knows better what it means."""
        error = kind(str(self))
        error.status, error.request_id = self.status, self.request_id
        error.crm_message = self.crm_message
        return error

    def with_response(self, *, status: int, request_id: str, crm_message: str = "") -> Self:
        """Remember the HTTP status, amoCRM's id of the call, and what it said."""
        self.status = status
        self.request_id = request_id
        self.crm_message = crm_message
        return self


class ComeBack(AmoError):
    """Nothing failed: come back in a few seconds. Uses up no attempt.

    ``lock_name`` is the lock that is waited for, if one is. ``retry_after`` is in how long it
    is worth coming back, where that is known.
    """

    not_done = True

    def __init__(
        self, message: str, *, lock_name: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.lock_name = lock_name
        self.retry_after = retry_after


class LockBusy(ComeBack):
    """The person's lock stayed with another holder for longer than ``LOCK_WAIT``."""


class LockLost(ComeBack):
    """The lock is no longer ours: it expired, was cleared, or changed hands."""


class LockUnavailable(ComeBack):
    """Redis does not answer, so nobody can be sure to be alone."""


class PersonChanged(ComeBack):
    """The person changed in the ledger since it was read."""


class LeaseLost(ComeBack):
    """The caller's lease on the submission ran out or passed to another worker."""


class StillSettling(ComeBack):
    """An earlier write may still be carried out: younger than ``SETTLE_SECONDS``."""


class GoAlone(ComeBack):
    """Delivered together with others it cannot go on: it needs what only one person can ask for."""


class AccountPaused(ComeBack):
    """The whole account is paused or backing off; ``until`` is when requests may go on."""

    def __init__(self, message: str, *, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class RetryLater(AmoError):
    """This try failed; the same call may succeed later."""


class NotDone(RetryLater):
    """The request surely changed nothing: it never got there, or was turned away at the door."""

    not_done = True


class RateLimited(NotDone):
    """amoCRM refused the call with 429 and did nothing."""


class InBadCompany(NotDone):
    """amoCRM refused a batch whole, and for no fault of this one's."""


class LeadGone(RetryLater):
    """The lead was deleted while we worked on it; the next try will find none."""

    not_done = True


class OutcomeUnknown(RetryLater):
    """A write was sent and its answer lost: it may or may not have been carried out."""


class Refused(AmoError):
    """amoCRM will never accept this as it is. Shown to operators in amoCRM's own words."""

    not_done = True


@dataclass(frozen=True)
class Problem:
    """One row of amoCRM's ``validation-errors``. ``row`` is whom it is about in a batch: the
    ``request_id``, or where amoCRM leaves that out the number at the beginning of the path."""

    path: str
    code: str
    detail: str
    row: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.detail} ({self.code})"


class Rejected(Refused):
    """The request did not validate."""

    def __init__(self, message: str, *, problems: tuple[Problem, ...]) -> None:
        super().__init__(message)
        self.problems = problems

    def about(self, problems: Iterable[Problem]) -> Rejected:
        """What of it concerns one row of a batch."""
        its = tuple(problems)
        error = Rejected(f"amoCRM rejects our data: {'; '.join(map(str, its))}", problems=its)
        return error.with_response(
            status=self.status or 0, request_id=self.request_id, crm_message=self.crm_message
        )


class Forbidden(Refused):
    """We may not touch this one lead or contact; others, as far as is known, we may."""


class NobodyToIdentify(Refused):
    """The submission names nobody: no usable e-mail or phone is left."""
