"""Counting round trips to Redis: what this process sends, and waits for the answer to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from redis.connection import AbstractConnection


@contextmanager
def round_trips() -> Iterator[Counter[str]]:
    """Count for the block, by the (first) command of each; a pipeline is one."""
    counts: Counter[str] = Counter()
    send = AbstractConnection.send_packed_command

    def counted(self: Any, command: Any, *rest: Any, **more: Any) -> None:
        packed = b"".join([command] if isinstance(command, bytes) else command)
        # *2 $3 GET $1 x, each on a line of its own
        counts[packed.split(b"\r\n", 3)[2].decode("ascii")] += 1
        send(self, command, *rest, **more)  # type: ignore[no-untyped-call]

    with patch.object(AbstractConnection, "send_packed_command", counted):
        yield counts
