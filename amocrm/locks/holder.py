"""Who holds a lock: the lock's value in Redis, readable by people and by the page."""

from __future__ import annotations

import os
import re
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from django.utils import timezone

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_PART = "(?:[A-Za-z0-9_.~:-]|%[0-9A-F]{2})"
_VALUE = re.compile(
    f"({_PART}+)/([0-9]{{1,9}})/({_PART}*)"
    "/([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z)/([0-9a-f]{16})"
)
_YEARS = range(1970, 9999)  # whose times every time zone can show


@dataclass(frozen=True)
class Holder:
    """One acquisition of a lock. ``reference`` is the caller's own id of what it is doing."""

    host: str
    pid: int
    reference: str
    acquired_at: datetime
    nonce: str

    @classmethod
    def here(cls, reference: str) -> Holder:
        """A holder that nobody else ever was: this process, now, with a fresh nonce."""
        return cls(
            host=socket.gethostname(),
            pid=os.getpid(),
            reference=reference,
            acquired_at=timezone.now(),
            nonce=secrets.token_hex(8),
        )

    def encode(self) -> str:
        """``host/pid/reference/time/nonce`` in ASCII, odd characters percent-encoded."""
        acquired = self.acquired_at.astimezone(UTC).strftime(_TIME)
        parts = (self.host, str(self.pid), self.reference, acquired, self.nonce)
        return "/".join(quote(part, safe=":") for part in parts)


def decode(value: bytes | str) -> Holder | None:
    """Read what :meth:`Holder.encode` wrote; ``None`` for anything else, whatever it is."""
    try:
        text = value.decode("ascii") if isinstance(value, bytes) else value
        found = _VALUE.fullmatch(text)
        if found is None:
            return None
        host, pid, reference, acquired, nonce = found.groups()
        acquired_at = datetime.fromisoformat(acquired)
        if acquired_at.year not in _YEARS:
            return None
        return Holder(
            host=_unquoted(host),
            pid=int(pid),
            reference=_unquoted(reference),
            acquired_at=acquired_at,
            nonce=nonce,
        )
    except ValueError:
        return None


def _unquoted(part: str) -> str:
    return unquote(part, errors="strict") if "%" in part else part
