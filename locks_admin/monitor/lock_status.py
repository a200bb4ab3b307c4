"""What the page, the JSON and the command all show and do: the locks, and what they mean.

A lock says who took it; the database says whether that delivery still runs. Both together are
its state.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Count, Min
from django.utils import timezone

from amocrm import conf
from amocrm.locks import clearing, inventory
from amocrm.locks.clearing import Cleared, Result
from amocrm.locks.holder import Holder
from amocrm.locks.inventory import LockRow
from leads.delivery import lease
from leads.models import Submission


class State(StrEnum):
    """``live``: its delivery runs. ``overdue``: it runs, for longer than ``LOCK_TTL``.

    ``orphan``: its holder no longer delivers that submission. ``unknown``: the value was not
    written by this service.
    """

    LIVE = "live"
    OVERDUE = "overdue"
    ORPHAN = "orphan"
    UNKNOWN = "unknown"


STALE = frozenset({State.OVERDUE, State.ORPHAN})
DELIVERING = frozenset({State.LIVE, State.OVERDUE})


@dataclass(frozen=True)
class LockStatus:
    """A lock, what it means, and who waits for it."""

    lock: LockRow
    state: State
    waiting: int = 0
    waiting_since: datetime | None = None

    @property
    def name(self) -> str:
        """The lock's name."""
        return self.lock.name


def read() -> list[LockStatus]:
    """Every lock by name, none when locks are switched off.

    Raises one of ``amocrm.locks.connection.REDIS_ERRORS`` when Redis does not answer.
    """
    return describe(inventory.list_locks()) if conf.current().redis_enabled else []


def read_one(name: str) -> LockStatus | None:
    """The lock ``name`` if it exists. Raises as :func:`read` does."""
    if not conf.current().redis_enabled:
        return None
    return next(iter(describe(inventory.read_locks([name]))), None)


def describe(locks: Sequence[LockRow]) -> list[LockStatus]:
    """Say for each lock what it means: two queries, however many locks there are."""
    deliverers = _deliverers()
    waiting = _waiting()
    ttl_ms = conf.current().lock_ttl * 1000
    return [
        LockStatus(lock, _state(lock, deliverers, ttl_ms), *waiting.get(lock.name, (0, None)))
        for lock in locks
    ]


def only(
    rows: Iterable[LockStatus], *, stale: bool = False, older_than: float | None = None
) -> list[LockStatus]:
    """Those that are stale (overdue or orphaned), those held for more than so many seconds.

    Asked for both, only those that are both. How long an unknown holder has held its lock
    nobody knows, so such a lock is never older than anything.
    """
    return [
        row
        for row in rows
        if (not stale or row.state in STALE)
        and (older_than is None or (row.lock.held_ms or -1) > older_than * 1000)
    ]


def clear(rows: Sequence[LockStatus], *, by: str, why: str) -> list[Cleared]:
    """Clear these locks where they are still as in ``rows``, and wake who waits for them.

    There are none when locks are switched off. Raises :class:`ValueError` for a lock that is
    not ours.
    """
    if not conf.current().redis_enabled:
        return []
    return clearing.clear([row.lock for row in rows], by=by, why=why)


def tally(outcome: Iterable[Cleared]) -> Counter[Result]:
    """How many of these ended how."""
    return Counter(one.result for one in outcome)


def _state(lock: LockRow, deliverers: dict[str, str], ttl_ms: int) -> State:
    if lock.holder is None:
        return State.UNKNOWN
    token = deliverers.get(lock.holder.reference, "")
    is_theirs = token.startswith(lease.token_prefix(lock.holder.host, lock.holder.pid))
    if not is_theirs or _is_dead(lock.holder):
        return State.ORPHAN
    return State.OVERDUE if (lock.held_ms or 0) > ttl_ms else State.LIVE


def _is_dead(holder: Holder) -> bool:
    """Whether the holder's process is gone, as far as this machine can tell: the claim of one
    that was killed outlives its lock."""
    return holder.host == socket.gethostname() and not _exists(holder.pid)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks only
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _deliverers() -> dict[str, str]:
    """The submissions that are being delivered now, and the token of whoever does it."""
    claimed = Submission.objects.filter(
        status=Submission.Status.ACCEPTED, leased_until__gt=timezone.now()
    ).order_by()
    return {str(pk): token for pk, token in claimed.values_list("pk", "lease_token")}


def _waiting() -> dict[str, tuple[int, datetime | None]]:
    counted = (
        Submission.objects.filter(status=Submission.Status.ACCEPTED)
        .exclude(waiting_for="")
        .order_by()
        .values_list("waiting_for")
        .annotate(many=Count("pk"), since=Min("waiting_since"))
    )
    return {name: (many, since) for name, many, since in counted}
