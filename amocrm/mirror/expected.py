"""Contacts that this process has just made: the list of changes must show them soon.

An account whose list lags shows it here first. Kept in the memory of the process, for it is a check
and no part of what the mirror knows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

MOST = 1000  # contacts
# Seconds. What was made longer ago says nothing of a list that lags, and may be deleted by now.
FOR = 600.0

_lock = threading.Lock()
_made: dict[tuple[str, int], float] = {}


def expect(account: str, contact_ids: Iterable[int]) -> None:
    """These contacts were just made: the next :func:`~amocrm.mirror.feed.catch_up` of this process
    that begins later must show them, or find them entered."""
    now = time.monotonic()
    with _lock:
        _made.update({(account, contact_id): now for contact_id in contact_ids})
        while len(_made) > MOST:
            del _made[next(iter(_made))]


def of(account: str) -> frozenset[int]:
    """Which contacts must be shown now."""
    now = time.monotonic()
    with _lock:
        for one in [one for one, made in _made.items() if now - made > FOR]:
            del _made[one]
        return frozenset(contact_id for owner, contact_id in _made if owner == account)


def forget(account: str, contact_ids: Iterable[int]) -> None:
    """They were shown, or there is nothing more to be learnt from them."""
    with _lock:
        for contact_id in contact_ids:
            _made.pop((account, contact_id), None)
