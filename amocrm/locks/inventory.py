"""Which locks exist now. Walks Redis by SCAN, so a long list never blocks anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.utils import timezone

from amocrm.locks.connection import locks_client
from amocrm.locks.holder import Holder, decode
from amocrm.locks.names import KEY_PREFIX, PREFIX, is_ours, key_of

_SCAN_COUNT = 1_000
_BATCH = 1_000
_NO_TTL = -1
_GONE = -2

# Both figures of a lock at one moment, a thousand locks in one answer: the times as one string,
# because ten thousand small answers take the client a second to read.
_READ_SCRIPT = """
local ttls = {}
for at, key in ipairs(KEYS) do ttls[at] = redis.call('PTTL', key) end
return {table.concat(ttls, ' '), redis.call('MGET', unpack(KEYS))}
"""
_HEX = "hex:"


@dataclass(frozen=True)
class LockRow:
    """One lock as it was read.

    ``holder_id`` is the stored value as text (see :func:`as_text`) and ``holder`` what it
    says, ``None`` where it is not ours. ``ttl_ms`` is ``None`` for a lock that never expires
    (ours always do). ``held_ms`` is ``None`` where nobody can know.
    """

    name: str
    holder_id: str
    holder: Holder | None
    ttl_ms: int | None
    held_ms: int | None


def list_locks() -> list[LockRow]:
    """Every lock of ours, by name. Raises one of ``connection.REDIS_ERRORS`` without Redis."""
    names = sorted(key.decode("utf-8", "replace") for key in _keys())
    return read_locks([name.removeprefix(KEY_PREFIX) for name in names])


def count() -> int:
    """How many locks of ours there are. Raises as :func:`list_locks`."""
    return len(_keys())


def read_locks(names: list[str]) -> list[LockRow]:
    """These locks as they are now, without those that are gone. Raises as :func:`list_locks`."""
    chunks = (names[at : at + _BATCH] for at in range(0, len(names), _BATCH))
    return [row for chunk in chunks for row in _read(chunk)]


def as_text(value: bytes) -> str:
    """A stored value as text that can be turned back: itself, or ``hex:…`` for odd bytes."""
    text = value.decode("ascii", "replace")
    plain = value.isascii() and text.isprintable() and not text.startswith(_HEX)
    return text if plain else _HEX + value.hex()


def as_value(text: str) -> bytes:
    """The reverse of :func:`as_text`."""
    if text.startswith(_HEX):
        try:
            return bytes.fromhex(text.removeprefix(_HEX))
        except ValueError:
            return text.encode()
    return text.encode()


def _keys() -> set[bytes]:
    found = locks_client().scan_iter(match=f"{KEY_PREFIX}{PREFIX}?*", count=_SCAN_COUNT)
    return {cast(bytes, key) for key in found}  # SCAN may tell of a key twice


def _read(names: list[str]) -> Iterator[LockRow]:
    ours = [name for name in names if is_ours(name)]
    if not ours:
        return
    client = locks_client()
    read = client.register_script(_READ_SCRIPT)
    ttls, values = cast(Any, read(keys=[key_of(name) for name in ours]))
    now = timezone.now()
    for name, ttl, value in zip(ours, map(int, ttls.split()), values, strict=True):
        if ttl != _GONE:
            # Something else than a string under our name has no value to compare.
            yield _row(name, ttl, value or b"", now)


def _row(name: str, ttl: int, value: bytes, now: datetime) -> LockRow:
    holder = decode(value)
    held = (now - holder.acquired_at).total_seconds() * 1000 if holder else None
    return LockRow(
        name=name,
        holder_id=as_text(value),
        holder=holder,
        ttl_ms=None if ttl == _NO_TTL else ttl,
        held_ms=None if held is None else max(0, round(held)),
    )
