"""What our locks are called, and where Redis keeps them."""

from __future__ import annotations

from collections.abc import Iterable

from amocrm.identity import IdentityKey, Kind

PREFIX = "amocrm:lead:"
# What python-redis-lock puts before a name: the key of the lock, and the list on which waiters
# for it sleep.
KEY_PREFIX = "lock:"
SIGNAL_PREFIX = "lock-signal:"
SIGNAL_LIFE_MS = 1_000


def lock_name(named: Iterable[IdentityKey]) -> str:
    """The name of the lock of a person first named by ``named`` (never changed afterwards)."""
    first: dict[Kind, str] = {}
    for key in sorted(named):
        first.setdefault(key.kind, key.value)
    email, phone = first.get("email"), first.get("phone", "").removeprefix("+")
    if email and phone:
        return f"{PREFIX}{email}:{phone}"
    return f"{PREFIX}email:{email}" if email else f"{PREFIX}phone:{phone}"


def is_ours(name: str) -> bool:
    """Whether ``name`` (without ``lock:``) belongs to this service."""
    return name.startswith(PREFIX) and len(name) > len(PREFIX)


def key_of(name: str) -> str:
    """The Redis key that holds the lock ``name``."""
    return KEY_PREFIX + name


def signal_of(name: str) -> str:
    """The Redis list on which waiters for ``name`` sleep."""
    return SIGNAL_PREFIX + name
