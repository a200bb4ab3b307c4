"""What happened to the locks: a capped Redis stream, written on the way and read by operators.

Writing is best effort: it fails silently (one warning a while) and never holds a delivery up
for longer than a moment. After a failure it is left alone for ten seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, cast

from amocrm.circuit_breaker import CircuitBreaker
from amocrm.locks.holder import Holder, decode
from amocrm.log_context import get_logger
from amocrm.redis_clients import REDIS_ERRORS, history_client

STREAM = "amocrm:lock-events"
CAPACITY = 10_000
_PAGE = 1_000
_BATCH = 500

logger = get_logger(__name__)
breaker = CircuitBreaker(seconds=10)


class Kind(StrEnum):
    """What can happen to a lock."""

    ACQUIRED = "acquired"
    BUSY = "busy"
    RELEASED = "released"
    LOST = "lost"
    EXPIRED = "expired"
    CLEARED = "cleared"


@dataclass(frozen=True)
class LockEvent:
    """One thing that happened. Durations are milliseconds, ``None`` where there is none."""

    id: str
    at: datetime
    kind: Kind
    name: str
    holder_id: str
    reference: str
    waited_ms: int | None = None
    held_ms: int | None = None
    by: str = ""
    why: str = ""

    @property
    def holder(self) -> Holder | None:
        """Who the event is about, where the value says so."""
        return decode(self.holder_id)


def record(
    kind: Kind,
    name: str,
    *,
    holder_id: str = "",
    reference: str = "",
    waited_ms: int | None = None,
    held_ms: int | None = None,
    by: str = "",
    why: str = "",
) -> None:
    """Remember one event. Never raises."""
    record_all([_fields(kind, name, holder_id, reference, waited_ms, held_ms, by, why)])


def record_cleared(cleared: list[tuple[str, str, int | None]], *, by: str, why: str) -> None:
    """Remember that operator ``by`` cleared these (name, holder id, held ms). Never raises."""
    record_all(
        [
            _fields(Kind.CLEARED, name, holder_id, _reference(holder_id), None, held_ms, by, why)
            for name, holder_id, held_ms in cleared
        ]
    )


def record_all(entries: list[dict[str, str]]) -> None:
    """Append the entries. Never raises."""
    if not entries or breaker.is_open:
        return
    try:
        for at in range(0, len(entries), _BATCH):
            pipeline = history_client().pipeline(transaction=False)
            for entry in entries[at : at + _BATCH]:
                pipeline.xadd(STREAM, cast(Any, entry), maxlen=CAPACITY, approximate=True)
            pipeline.execute()
    except REDIS_ERRORS as trouble:
        breaker.open()
        logger.warning(
            "The locks' history is not written for %.0f s: %s",
            breaker.seconds,
            type(trouble).__name__,
        )


def latest(limit: int, match: Callable[[LockEvent], bool] | None = None) -> list[LockEvent]:
    """The newest events first, at most ``limit`` of those that ``match``.

    Raises one of :data:`amocrm.redis_clients.REDIS_ERRORS` when Redis does not answer.
    """
    page = limit if match is None else _PAGE
    matching = (event for event in _newest_first(page) if match is None or match(event))
    return list(islice(matching, limit))


def since(moment: datetime) -> list[LockEvent]:
    """Everything after ``moment``, oldest first. Raises as :func:`latest` does."""
    client = history_client()
    rows = cast(Any, client.xrange(STREAM, min=str(int(moment.timestamp() * 1000))))
    return [event for row in rows if (event := _read(row)) is not None]


def _newest_first(page: int) -> Iterator[LockEvent]:
    client = history_client()
    upper = "+"
    while True:
        rows = cast(Any, client.xrevrange(STREAM, max=upper, count=page))
        yield from (event for row in rows if (event := _read(row)) is not None)
        if len(rows) < page:
            return
        upper = "(" + rows[-1][0].decode("ascii")


def _fields(
    kind: Kind,
    name: str,
    holder_id: str,
    reference: str,
    waited_ms: int | None,
    held_ms: int | None,
    by: str,
    why: str,
) -> dict[str, str]:
    entry = {"kind": str(kind), "name": name, "holder": holder_id, "reference": reference}
    if waited_ms is not None:
        entry["waited_ms"] = str(waited_ms)
    if held_ms is not None:
        entry["held_ms"] = str(held_ms)
    if by:
        entry |= {"by": by, "why": why}
    return entry


def _read(row: tuple[bytes, dict[bytes, bytes]]) -> LockEvent | None:
    """One entry of the stream; ``None`` for one that we did not write."""
    entry = {key.decode("utf-8", "replace"): _text(value) for key, value in row[1].items()}
    event_id = row[0].decode("ascii")
    try:
        return LockEvent(
            id=event_id,
            at=datetime.fromtimestamp(int(event_id.partition("-")[0]) / 1000, tz=UTC),
            kind=Kind(entry["kind"]),
            name=entry["name"],
            holder_id=entry.get("holder", ""),
            reference=entry.get("reference", ""),
            waited_ms=int(entry["waited_ms"]) if "waited_ms" in entry else None,
            held_ms=int(entry["held_ms"]) if "held_ms" in entry else None,
            by=entry.get("by", ""),
            why=entry.get("why", ""),
        )
    except (KeyError, ValueError, OverflowError):
        return None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _reference(holder_id: str) -> str:
    holder = decode(holder_id)
    return holder.reference if holder else ""
