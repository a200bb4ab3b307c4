"""At most one thread of a process waits for a lock; the others come back.

Whoever waits sleeps, and a worker has few threads: one person who sends many forms at once must
not put all of them to sleep while other people's wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from amocrm import conf
from amocrm.errors import LockBusy
from amocrm.locks.inventory import read_locks
from amocrm.redis_clients import REDIS_ERRORS

_waiting: set[str] = set()
_guard = threading.Lock()


@contextmanager
def only_waiter(name: str) -> Iterator[None]:
    """Be the one thread of this process that waits for the lock ``name``, for the block.

    Raises :class:`~amocrm.errors.LockBusy` at once when another one does.
    """
    with _guard:
        if name in _waiting:
            # The words of the guard: to whoever comes back it is the same reason.
            raise LockBusy(f"Another delivery holds the lock {name}", lock_name=name)
        _waiting.add(name)
    try:
        yield
    finally:
        with _guard:
            _waiting.remove(name)


def is_free(name: str) -> bool:
    """Whether surely nobody holds the lock ``name`` now, nor waits for it in this process.

    ``False`` without Redis. Never raises.
    """
    with _guard:
        if name in _waiting:
            return False
    if not conf.current().redis_enabled:
        return False
    try:
        return not read_locks([name])
    except REDIS_ERRORS:
        return False
