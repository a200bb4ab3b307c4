"""Which of the locks, and in what order: the same words for the page, the JSON and the command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from django.utils.translation import gettext as _

from locks_admin.masking import label, read_name, shown_name
from locks_admin.monitor import lock_status
from locks_admin.monitor.lock_status import LockStatus, State

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")
_NEVER = float("inf")
_PHONE = re.compile(r"[\d\s()+.-]+")
_NO_DIGITS = re.compile(r"\D")
_FEWEST_DIGITS = 7
_LOCAL_DIGITS = 10  # without the country's code or the 8 in its place
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

SORTS: dict[str, Callable[[LockStatus], Any]] = {
    "state": lambda row: list(State).index(row.state),
    "held": lambda row: -1 if row.lock.held_ms is None else row.lock.held_ms,
    "left": lambda row: _NEVER if row.lock.ttl_ms is None else row.lock.ttl_ms,
    "waiting": lambda row: (row.waiting, -(row.waiting_since or _LONG_AGO).timestamp()),
    "holder": lambda row: row.lock.holder_id,
}


class Params(Protocol):
    """A query string, or a dictionary in its place."""

    def get(self, name: str, default: str, /) -> str: ...


class BadFilter(ValueError):
    """A filter that makes no sense; ``str()`` says which and why."""


@dataclass(frozen=True)
class LockFilter:
    """What is asked for; without anything, every lock. ``older_than`` is in seconds."""

    words: str = ""
    state: State | None = None
    stale: bool = False
    older_than: float | None = None

    NAMES = ("q", "state", "stale", "older_than")

    @classmethod
    def read(cls, params: Params) -> LockFilter:
        """Read a query string. Raises :class:`BadFilter`."""
        return cls(
            words=params.get("q", "").strip(),
            state=_state(params.get("state", "")),
            stale=flag(params, "stale"),
            older_than=_seconds(params.get("older_than", "")),
        )

    def apply(self, rows: Iterable[LockStatus], *, full: bool) -> list[LockStatus]:
        """Those of ``rows`` that are asked for; masked people are found masked only."""
        chosen = lock_status.only(rows, stale=self.stale, older_than=self.older_than)
        return [
            row
            for row in chosen
            if (self.state is None or row.state is self.state)
            and is_found(self.words, row.name, row.lock.holder_id, full=full)
        ]


def ordered(rows: Iterable[LockStatus], sort: str, *, full: bool) -> list[LockStatus]:
    """Sorted by one of :data:`SORTS`, downwards with a minus before it; else by person, who is
    masked unless ``full``: an order tells, too."""

    def person(row: LockStatus) -> str:
        return shown_name(row.name, full=full)

    return sorted(rows, key=SORTS.get(sort.removeprefix("-"), person), reverse=sort.startswith("-"))


def flag(params: Params, name: str) -> bool:
    """Read a yes or no. Raises :class:`BadFilter` for anything else."""
    text = params.get(name, "").lower()
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise BadFilter(_("%(name)s is true or false, not “%(value)s”.") % _named(name, text))


def _state(text: str) -> State | None:
    try:
        return State(text) if text else None
    except ValueError:
        raise BadFilter(_("There is no state “%(value)s”.") % {"value": text}) from None


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < _NEVER:
        raise BadFilter(
            _("%(name)s is a number of seconds, not “%(value)s”.") % _named("older_than", text)
        )
    return seconds


def is_found(words: str, name: str, holder_id: str, *, full: bool) -> bool:
    """Whether the person or the holder of a lock has ``words``, a phone in any spelling."""
    words = words.strip().casefold()
    shown = (shown_name(name, full=full), label(name, full=full), holder_id)
    if words in "\n".join(shown).casefold():
        return True
    digits = _NO_DIGITS.sub("", words) if _PHONE.fullmatch(words) else ""
    return len(digits) >= _FEWEST_DIGITS and digits[-_LOCAL_DIGITS:] in read_name(shown[0]).phone


def _named(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}
