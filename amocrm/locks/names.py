"""What our locks are called, and where Redis keeps them."""

from __future__ import annotations

PREFIX = "amocrm:lead:"
KEY_PREFIX = "lock:"
SIGNAL_PREFIX = "lock-signal:"
SIGNAL_LIFE_MS = 1_000


def is_ours(name: str) -> bool:
    """Whether ``name`` (without ``lock:``) belongs to this service."""
    return name.startswith(PREFIX) and len(name) > len(PREFIX)


def key_of(name: str) -> str:
    """The Redis key that holds the lock ``name``."""
    return KEY_PREFIX + name


def signal_of(name: str) -> str:
    """The Redis list on which waiters for ``name`` sleep."""
    return SIGNAL_PREFIX + name
