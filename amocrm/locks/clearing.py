"""Clearing locks: an operator takes them away from their holders.

A lock is removed only while it still holds the value that the operator saw, by the library's
own release script, which also wakes one waiter. ``reset()`` compares nothing and
``reset_all()`` deletes every application's locks: neither is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from redis import Redis
from redis_lock import UNLOCK_SCRIPT

from amocrm import counters, log_context
from amocrm.counters import Event
from amocrm.locks import history
from amocrm.locks.connection import locks_client
from amocrm.locks.inventory import LockRow, as_value
from amocrm.locks.names import SIGNAL_LIFE_MS, is_ours, key_of, signal_of
from amocrm.redis_clients import REDIS_ERRORS

_BATCH = 500

logger = log_context.get_logger(__name__)


class ClearResult(StrEnum):
    """What became of a lock that was to be cleared.

    ``NOT_A_LOCK``: something else than a string lies under its key, and stays. ``UNKNOWN``: Redis
    stopped answering meanwhile.
    """

    CLEARED = "cleared"
    MISSING = "missing"
    CHANGED = "changed"
    NOT_A_LOCK = "not_a_lock"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cleared:
    """One lock as it was shown, and what became of it."""

    lock: LockRow
    result: ClearResult


def clear(locks: Sequence[LockRow], *, by: str, why: str) -> list[Cleared]:
    """Clear these locks where their holder is still the one in ``locks``; wake the waiters.

    ``by`` and ``why`` go into the log and the history. Raises :class:`ValueError` for a name
    that is not ours, before anything is touched. A Redis that stops answering is no error here:
    what was cleared until then is cleared, and the rest is :attr:`ClearResult.UNKNOWN`.
    """
    for lock in locks:
        if not is_ours(lock.name):
            raise ValueError(f"{lock.name!r} is no lock of ours: it stays")
    if not locks:
        return []  # with locks switched off there is no Redis to ask
    client = locks_client()
    outcome: list[Cleared] = []
    try:
        for at in range(0, len(locks), _BATCH):
            outcome += _clear(client, locks[at : at + _BATCH])
    except REDIS_ERRORS:
        outcome += [Cleared(lock, ClearResult.UNKNOWN) for lock in locks[len(outcome) :]]
    gone = [one.lock for one in outcome if one.result is ClearResult.CLEARED]
    history.record_cleared([(one.name, one.holder_id, one.held_ms) for one in gone], by=by, why=why)
    for lock in gone:
        logger.warning(
            "🧹 Lock CLEARED: %s (held by %s) by %s [LOCK]", lock.name, lock.holder_id, by
        )
    if gone:
        counters.count(Event.LOCK_CLEARED, len(gone))
    for one in outcome:
        if one.result is ClearResult.UNKNOWN:
            logger.warning("🧹 Lock perhaps CLEARED: %s by %s [LOCK]", one.lock.name, by)
    return outcome


def _clear(client: Redis, locks: Sequence[LockRow]) -> list[Cleared]:
    unlock = client.register_script(UNLOCK_SCRIPT)
    pipeline = client.pipeline(transaction=False)
    for lock in locks:
        unlock(
            keys=[key_of(lock.name), signal_of(lock.name)],
            args=[as_value(lock.holder_id), SIGNAL_LIFE_MS],
            client=pipeline,
        )
        pipeline.exists(key_of(lock.name))
    answers = pipeline.execute(raise_on_error=False)
    return [
        Cleared(lock, _result(refused, exists))
        for lock, refused, exists in zip(locks, answers[::2], answers[1::2], strict=True)
    ]


def _result(refused: int | Exception, exists: int | Exception) -> ClearResult:
    if refused == 0:
        return ClearResult.CLEARED
    if isinstance(refused, Exception):
        return ClearResult.NOT_A_LOCK if "WRONGTYPE" in str(refused) else ClearResult.UNKNOWN
    return ClearResult.MISSING if exists == 0 else ClearResult.CHANGED
