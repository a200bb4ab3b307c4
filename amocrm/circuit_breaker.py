"""Leaving something alone for a while after it has failed."""

from __future__ import annotations

import threading
import time


class CircuitBreaker:
    """Open for ``seconds`` after each failure, for all threads of this process."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._open_until = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether it failed so lately that it is not to be tried."""
        with self._lock:
            return time.monotonic() < self._open_until

    def open(self) -> None:
        """It has just failed."""
        with self._lock:
            self._open_until = time.monotonic() + self.seconds

    def close(self) -> None:
        """It may be tried at once."""
        with self._lock:
            self._open_until = 0.0
