"""What happened to the locks lately, including expiries that nobody recorded.

A holder that dies records nothing, and its lock expires. Such an expiry is concluded here from
an acquisition without an end whose value is no longer in Redis.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from amocrm import conf
from amocrm.locks import history
from amocrm.locks.history import Kind, LockEvent
from locks_admin.masking import Masker, pseudonym
from locks_admin.monitor.filters import BadFilter, is_found

DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000
_ENDS = frozenset({Kind.RELEASED, Kind.LOST, Kind.EXPIRED, Kind.CLEARED})


def latest(
    limit: int,
    masker: Masker,
    *,
    query: str = "",
    of: str = "",
    held: Collection[str] | None = None,
) -> list[LockEvent]:
    """The newest events first: those whose person or holder has ``query``, and whose lock's
    pseudonym is ``of``.

    ``held`` are the holder ids in Redis now; with them, expiries that nobody recorded are added.
    There are no events when locks are switched off. Raises one of
    ``amocrm.locks.connection.REDIS_ERRORS`` when Redis does not answer.
    """
    if not conf.current().redis_enabled:
        return []

    def match(event: LockEvent) -> bool:
        is_theirs = not of or pseudonym(event.name) == of
        return is_theirs and is_found(query, event.name, event.holder_id, masker)

    events = history.latest(limit, match if query.strip() or of else None)
    return events if held is None else with_expiries(events, held)[:limit]


def with_expiries(events: list[LockEvent], held: Collection[str]) -> list[LockEvent]:
    """Add an ``expired`` for each acquisition that has no end and is not held any more.

    When it ran out is not known: no earlier than ``LOCK_TTL`` after it was acquired, which is
    the time it is given here.
    """
    ended = {event.holder_id for event in events if event.kind in _ENDS}
    ttl = timedelta(seconds=conf.current().lock_ttl)
    now = timezone.now()
    unrecorded = [
        replace(event, id=f"{event.id}-end", at=event.at + ttl, kind=Kind.EXPIRED, waited_ms=None)
        for event in events
        if event.kind is Kind.ACQUIRED
        and event.holder_id not in ended
        and event.holder_id not in held
        and event.at + ttl <= now
    ]
    return sorted([*events, *unrecorded], key=lambda event: event.at, reverse=True)


def read_limit(text: str) -> int:
    """Read how many events are asked for. Raises :class:`BadFilter`."""
    if not text:
        return DEFAULT_LIMIT
    # Python makes no number of more than 4300 digits.
    is_short = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
    if not is_short or not 1 <= int(text) <= MAX_LIMIT:
        raise BadFilter(
            _("limit is a number from 1 to %(most)d, not “%(value)s”.")
            % {"most": MAX_LIMIT, "value": text},
            "limit",
        )
    return int(text)
