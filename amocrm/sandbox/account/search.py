"""The loose ``query`` of amoCRM, and how long it takes to notice what was written.

Nothing official is known about either; public clients work around both. The index keeps
what each contact looked like when it was written and shows it only after the lag.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from amocrm.sandbox.account.model import Contact

# All texts case folded, and their digits written together, one per line.
Texts = tuple[str, str]

_PHONE_LIKE = re.compile(r"\+?[\d\s()./-]*\Z")
_SHORTEST_PHONE = 5
_PHONE_DIGITS = 10
_TAIL = 7
_SHORTEST_LOCAL_PART = 3


@dataclass
class _Entry:
    shown: Texts | None = None
    pending: list[tuple[float, Texts]] = field(default_factory=list)

    def catch_up(self, now: float, lag: float) -> None:
        while self.pending and self.pending[0][0] + lag <= now:
            self.shown = self.pending.pop(0)[1]


class Index:
    """What ``query`` can see. Times and lags are in seconds."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._behind: set[int] = set()

    def written(self, contact: Contact, at: float) -> None:
        """Note what the contact looks like since ``at``."""
        entry = self._entries.setdefault(contact.id, _Entry())
        entry.pending.append((at, texts_of(contact)))
        self._behind.add(contact.id)

    def show_now(self, contact: Contact) -> None:
        """Make the contact findable at once, as something written long ago."""
        self._entries[contact.id] = _Entry(shown=texts_of(contact))
        self._behind.discard(contact.id)

    def catch_up(self, now: float, lag: float) -> None:
        """Show what has become due; call it before the lag changes."""
        for contact_id in list(self._behind):
            entry = self._entries[contact_id]
            entry.catch_up(now, lag)
            if not entry.pending:
                self._behind.discard(contact_id)

    def find(
        self, query: str, *, now: float, lag: float, see_through_phones: bool, strangers: bool
    ) -> set[int]:
        """Ids of the contacts that match, partial matches included if ``strangers``."""
        self.catch_up(now, lag)
        matches = matcher(query, see_through_phones=see_through_phones, strangers=strangers)
        return {
            contact_id
            for contact_id, entry in self._entries.items()
            if entry.shown is not None and matches(entry.shown)
        }


def texts_of(contact: Contact) -> Texts:
    """What search compares."""
    texts = list(contact.texts())
    return "\n".join(texts).casefold(), "\n".join(_digits(text) for text in texts)


def matcher(query: str, *, see_through_phones: bool, strangers: bool) -> Callable[[Texts], bool]:
    """A test of whether ``query`` finds a contact with these texts.

    A bare ten-digit query also finds whoever shares the last seven digits, an e-mail also
    whoever carries its local part: those are the strangers.
    """
    wanted = query.strip().casefold()
    digits = _digits(wanted)
    in_texts = [wanted]
    in_digits: list[str] = []
    if len(digits) >= _SHORTEST_PHONE and _PHONE_LIKE.match(wanted) is not None:
        parts = [digits]
        if strangers and wanted == digits and len(digits) == _PHONE_DIGITS:
            parts.append(digits[-_TAIL:])
        if see_through_phones:
            in_digits = parts
        else:
            in_texts += parts[1:]
    local, at, _ = wanted.partition("@")
    if strangers and at and len(local) >= _SHORTEST_LOCAL_PART:
        in_texts.append(local)

    def matches(texts: Texts) -> bool:
        return any(part in texts[0] for part in in_texts) or any(
            part in texts[1] for part in in_digits
        )

    return matches


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign in "0123456789")
