"""What the page, the JSON and the command all show: the locks, and what they mean.

A lock says who took it; the database says whether that delivery still runs. Both together are
its state.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, TextChoices
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from amocrm import conf
from amocrm.locks import inventory
from amocrm.locks.holder import Holder
from amocrm.locks.inventory import LockRow
from leads.delivery import lease
from leads.models import Submission
from locks_admin.masking import pseudonym

_BATCH = 900  # SQLite takes no more values in one query


class State(TextChoices):
    """``live``: its delivery runs. ``overdue``: it runs, for longer than ``LOCK_TTL``.

    ``orphan``: its holder no longer delivers that submission. ``unknown``: the value was not
    written by this service.
    """

    LIVE = "live", _("live")
    OVERDUE = "overdue", _("overdue")
    ORPHAN = "orphan", _("orphan")
    UNKNOWN = "unknown", _("unknown")


STALE = frozenset({State.OVERDUE, State.ORPHAN})


@dataclass(frozen=True)
class LockStatus(LockRow):
    """A lock, what it means, and how many wait for it since when.

    ``form`` is the name of the form that its submission came from; :func:`with_forms` alone
    fills it.
    """

    state: State
    waiting: int = 0
    waiting_since: datetime | None = None
    form: str = ""

    @property
    def token(self) -> str:
        """This lock with this holder, short: tens of thousands fit into one form, and another
        holder makes another row on the page."""
        return f"{pseudonym(self.name)} {pseudonym(self.holder_id)}"

    @property
    def is_delivering(self) -> bool:
        """Whether clearing it stops a running delivery."""
        return self.state in (State.LIVE, State.OVERDUE)

    @property
    def percent_left(self) -> int:
        """How much of its time to live is left; all of it where it has none."""
        if self.ttl_ms is None:
            return 100
        return min(100, round(self.ttl_ms / conf.current().lock_ttl / 10))

    @property
    def submission_url(self) -> str:
        """The submission's page in the admin; empty without a ``form``."""
        if self.holder is None or not self.form:
            return ""
        return reverse("admin:leads_submission_change", args=(self.holder.reference,))


def read() -> list[LockStatus]:
    """Every lock by name, none when locks are switched off.

    Raises one of ``amocrm.locks.connection.REDIS_ERRORS`` when Redis does not answer.
    """
    return _describe(inventory.list_locks()) if conf.current().redis_enabled else []


def read_one(name: str) -> LockStatus | None:
    """The lock ``name`` if it exists. Raises as :func:`read` does."""
    if not conf.current().redis_enabled:
        return None
    return next(iter(_describe(inventory.read_locks([name]))), None)


def with_forms(locks: Sequence[LockStatus]) -> list[LockStatus]:
    """The same locks, each with the form its submission came from."""
    ids = [found for lock in locks if lock.holder and (found := _uuid(lock.holder.reference))]
    forms: dict[str, str] = {}
    for at in range(0, len(ids), _BATCH):
        known = Submission.objects.filter(pk__in=ids[at : at + _BATCH]).order_by()
        forms |= {str(pk): title for pk, title in known.values_list("pk", "form__title")}
    return [
        replace(lock, form=forms.get(lock.holder.reference, "")) if lock.holder else lock
        for lock in locks
    ]


def _describe(rows: Sequence[LockRow]) -> list[LockStatus]:
    """Say for each lock what it means: two queries, however many locks there are."""
    deliverers = _deliverers()
    waiting = _waiting()
    ttl_ms = conf.current().lock_ttl * 1000
    return [
        LockStatus(
            **vars(row),
            state=_state(row, deliverers, ttl_ms),
            **waiting.get(row.name, {}),
        )
        for row in rows
    ]


def _state(row: LockRow, deliverers: dict[str, str], ttl_ms: int) -> State:
    if row.holder is None:
        return State.UNKNOWN
    token = deliverers.get(row.holder.reference, "")
    is_theirs = token.startswith(lease.token_prefix(row.holder.host, row.holder.pid))
    if not is_theirs or _is_dead(row.holder):
        return State.ORPHAN
    return State.OVERDUE if (row.held_ms or 0) > ttl_ms else State.LIVE


def _is_dead(holder: Holder) -> bool:
    """Whether the holder's process is gone, as far as this machine can tell: the lease of one
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
    leased = Submission.objects.filter(
        status=Submission.Status.ACCEPTED, leased_until__gt=timezone.now()
    ).order_by()
    return {str(pk): token for pk, token in leased.values_list("pk", "lease_token")}


def _waiting() -> dict[str, dict[str, Any]]:
    """How many submissions wait for each lock, and since when."""
    counted = (
        Submission.objects.filter(status=Submission.Status.ACCEPTED)
        .exclude(waiting_for="")
        .order_by()
        .values_list("waiting_for")
        .annotate(many=Count("pk"), since=Min("waiting_since"))
    )
    return {name: {"waiting": many, "waiting_since": since} for name, many, since in counted}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
