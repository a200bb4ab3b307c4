"""Which of the locks, and in what order: the same for the page, the JSON and the command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from django.utils.translation import gettext as _

from locks_admin.masking import Masker, read_name
from locks_admin.monitor.lock_status import STALE, LockStatus, State

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")
_NEVER = float("inf")
_PHONE = re.compile(r"[\d\s()+.-]+")
_NO_DIGITS = re.compile(r"\D")
_FEWEST_DIGITS = 7
_LOCAL_DIGITS = 10  # without the country's code or the 8 in its place
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

SORTS: dict[str, Callable[[LockStatus], Any]] = {
    "state": lambda lock: list(State).index(lock.state),
    "held": lambda lock: -1 if lock.held_ms is None else lock.held_ms,
    "left": lambda lock: _NEVER if lock.ttl_ms is None else lock.ttl_ms,
    "waiting": lambda lock: (lock.waiting, -(lock.waiting_since or _LONG_AGO).timestamp()),
    "holder": lambda lock: lock.holder_id,
}


class Params(Protocol):
    """A query string, or a dictionary in its place."""

    def get(self, name: str, default: str, /) -> str: ...


class BadFilter(ValueError):
    """A filter that makes no sense; ``str()`` says which and why, ``names`` how it is called."""

    def __init__(self, text: str, *names: str) -> None:
        super().__init__(text)
        self.names = names


@dataclass(frozen=True)
class LockFilter:
    """What is asked for; without anything, every lock.

    ``stale`` are the overdue and the orphaned. ``older_than`` is in seconds; how long an unknown
    holder has held its lock nobody knows, so such a lock is never older than anything.
    """

    query: str = ""
    state: State | None = None
    stale: bool = False
    older_than: float | None = None

    NAMES = ("q", "state", "stale", "older_than")

    @classmethod
    def read(cls, params: Params) -> LockFilter:
        """Read a query string. Raises :class:`BadFilter`."""
        return cls(
            query=params.get("q", ""),
            state=_state(params.get("state", "")),
            stale=flag(params, "stale"),
            older_than=_seconds(params.get("older_than", "")),
        )

    def apply(self, locks: Iterable[LockStatus], masker: Masker) -> list[LockStatus]:
        """Those of ``locks`` that meet everything asked for; masked people are found by their
        masks only."""
        return [
            lock
            for lock in locks
            if (self.state is None or lock.state is self.state)
            and (not self.stale or lock.state in STALE)
            and (self.older_than is None or (lock.held_ms or -1) > self.older_than * 1000)
            and is_found(self.query, lock.name, lock.holder_id, masker)
        ]


def ordered(locks: Iterable[LockStatus], sort: str, masker: Masker) -> list[LockStatus]:
    """Sorted by one of :data:`SORTS`, downwards with a minus before it; else by person, masked
    where people are: an order tells, too."""

    def person(lock: LockStatus) -> str:
        return masker.name(lock.name)

    by = SORTS.get(sort.removeprefix("-"), person)
    return sorted(locks, key=by, reverse=sort.startswith("-"))


def is_found(query: str, name: str, holder_id: str, masker: Masker) -> bool:
    """Whether the person or the holder of a lock has ``query``, a phone in any spelling."""
    query = query.strip().casefold()
    shown = masker.name(name)
    if query in f"{shown}\n{masker.person(name)}\n{holder_id}".casefold():
        return True
    digits = _NO_DIGITS.sub("", query) if _PHONE.fullmatch(query) else ""
    return len(digits) >= _FEWEST_DIGITS and digits[-_LOCAL_DIGITS:] in read_name(shown).phone


def flag(params: Params, name: str) -> bool:
    """Read a yes or no. Raises :class:`BadFilter` for anything else."""
    text = params.get(name, "").lower()
    if text in _YES:
        return True
    if text in _NO:
        return False
    values = {"name": name, "value": text}
    raise BadFilter(_("%(name)s is true or false, not “%(value)s”.") % values, name)


def _state(text: str) -> State | None:
    try:
        return State(text) if text else None
    except ValueError:
        message = _("There is no state “%(value)s”.") % {"value": text}
        raise BadFilter(message, "state") from None


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < _NEVER:
        values = {"name": "older_than", "value": text}
        message = _("%(name)s is a number of seconds, not “%(value)s”.") % values
        raise BadFilter(message, "older_than")
    return seconds
