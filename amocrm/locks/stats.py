"""How long deliveries waited for locks and held them, minute by minute, for a chart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from amocrm.locks import history
from amocrm.locks.history import LockEvent

MINUTES = 60


@dataclass
class Minute:
    """What one minute's events say. Milliseconds; nothing happened: empty lists."""

    start: datetime
    waited_ms: list[int] = field(default_factory=list)
    held_ms: list[int] = field(default_factory=list)


def last_hour() -> list[Minute]:
    """Sixty minutes, oldest first, the current one last. Raises as ``history.latest`` does."""
    now = timezone.now()
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    return by_minute(history.since(first), first)


def by_minute(events: Iterable[LockEvent], first: datetime) -> list[Minute]:
    """Sort the events into the :data:`MINUTES` minutes that begin with ``first``."""
    found: dict[int, list[LockEvent]] = defaultdict(list)
    for event in events:
        found[int((event.at - first).total_seconds() // 60)].append(event)
    return [
        Minute(
            start=first + timedelta(minutes=at),
            waited_ms=[e.waited_ms for e in found[at] if e.waited_ms is not None],
            held_ms=[e.held_ms for e in found[at] if e.held_ms is not None],
        )
        for at in range(MINUTES)
    ]
