"""Who was refused a moment ago is refused again at once: before sessions, forms and the database.

A flood of logins goes on when it is refused. Kept by each process for itself.
"""

from __future__ import annotations

import hashlib

from django.core.cache.backends.locmem import LocMemCache

from config.login.refusal import Refusal

#: For so many seconds at most: whoever was unlocked meanwhile waits that long.
SECONDS = 5
MOST = 10_000
_refusals = LocMemCache("refused-logins", {"OPTIONS": {"MAX_ENTRIES": MOST}})


def remember(refusal: Refusal, username: str | None, address: str | None) -> None:
    """That this user name is refused from this address, or every name from it."""
    key = _key(None if refusal.whole_address else username, address)
    _refusals.set(key, refusal, min(SECONDS, refusal.seconds))


def recall(username: str | None, address: str | None) -> Refusal | None:
    """What they were told a moment ago."""
    for name in (None, username):
        refusal: Refusal | None = _refusals.get(_key(name, address))
        if refusal:
            return refusal
    return None


def forget() -> None:
    """Everything: the database is asked again."""
    _refusals.clear()


def _key(username: str | None, address: str | None) -> str:
    return hashlib.sha256(repr((username, address)).encode("utf-8", "replace")).hexdigest()
