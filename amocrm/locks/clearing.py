"""Taking locks away from their holders, on an operator's word.

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
from amocrm.locks.connection import REDIS_ERRORS, locks_client
from amocrm.locks.inventory import LockRow, as_value
from amocrm.locks.names import SIGNAL_LIFE_MS, is_ours, key_of, signal_of

_BATCH = 500

logger = log_context.get_logger(__name__)


class Result(StrEnum):
    """What became of a lock that was to be cleared.

    ``NOT_A_LOCK``: something else than a string lies under its key, and stays. ``UNKNOWN``: Redis
    went silent meanwhile.
    """

    CLEARED = "cleared"
    MISSING = "missing"
    CHANGED = "changed"
    NOT_A_LOCK = "no lock"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cleared:
    """One lock as it was shown, and what became of it."""

    row: LockRow
    result: Result


def clear(rows: Sequence[LockRow], *, by: str, why: str) -> list[Cleared]:
    """Clear these locks where their holder is still the one in ``rows``; wake the waiters.

    ``by`` and ``why`` go into the log and the history. Raises :class:`ValueError` for a name
    that is not ours, before anything is touched. Redis going silent is no error here: what was
    cleared until then is cleared, and the rest is :attr:`Result.UNKNOWN`.
    """
    for row in rows:
        if not is_ours(row.name):
            raise ValueError(f"{row.name!r} is no lock of ours: it stays")
    client = locks_client()
    outcome: list[Cleared] = []
    try:
        for at in range(0, len(rows), _BATCH):
            outcome += _clear(client, rows[at : at + _BATCH])
    except REDIS_ERRORS:
        outcome += [Cleared(row, Result.UNKNOWN) for row in rows[len(outcome) :]]
    gone = [one.row for one in outcome if one.result is Result.CLEARED]
    history.record_cleared([(row.name, row.holder_id, row.held_ms) for row in gone], by=by, why=why)
    for row in gone:
        logger.warning("🧹 Lock CLEARED: %s (held by %s) by %s [LOCK]", row.name, row.holder_id, by)
    if gone:
        counters.count(Event.LOCK_CLEARED, len(gone))
    for one in outcome:
        if one.result is Result.UNKNOWN:
            logger.warning("🧹 Lock perhaps CLEARED: %s by %s [LOCK]", one.row.name, by)
    return outcome


def _clear(client: Redis, rows: Sequence[LockRow]) -> list[Cleared]:
    unlock = client.register_script(UNLOCK_SCRIPT)
    pipeline = client.pipeline(transaction=False)
    for row in rows:
        unlock(
            keys=[key_of(row.name), signal_of(row.name)],
            args=[as_value(row.holder_id), SIGNAL_LIFE_MS],
            client=pipeline,
        )
        pipeline.exists(key_of(row.name))
    answers = pipeline.execute(raise_on_error=False)
    return [
        Cleared(row, _result(refused, exists))
        for row, refused, exists in zip(rows, answers[::2], answers[1::2], strict=True)
    ]


def _result(refused: int | Exception, exists: int | Exception) -> Result:
    if refused == 0:
        return Result.CLEARED
    if isinstance(refused, Exception):
        return Result.NOT_A_LOCK if "WRONGTYPE" in str(refused) else Result.UNKNOWN
    return Result.MISSING if exists == 0 else Result.CHANGED
