"""Counting requests, refusing the eighth in a second, and blocking who does not listen."""

from __future__ import annotations

import threading
from collections import deque

from amocrm.sandbox.account.clock import Clock
from amocrm.sandbox.api.responses import Answer, blocked, throttled
from amocrm.sandbox.settings import Settings

SECOND = 1.0


class Throttle:
    """amoCRM's limits for one integration. Every request counts, refused ones too."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything that was counted; lifts a block."""
        with self._lock:
            self._recent: deque[float] = deque()
            self._refused: deque[float] = deque()
            self._blocked_until = 0.0
            self.max_per_second = 0
            self.given_429 = 0
            self.given_403 = 0

    def lift(self) -> None:
        """End a block, as amoCRM's support would."""
        with self._lock:
            self._refused.clear()
            self._recent.clear()
            self._blocked_until = 0.0

    def admit(self, settings: Settings) -> Answer | None:
        """Count one request; the refusal to send, or ``None`` to go on."""
        now = self._clock.seconds()
        with self._lock:
            _forget(self._recent, now, SECOND)
            self._recent.append(now)
            self.max_per_second = max(self.max_per_second, len(self._recent))
            if now < self._blocked_until:
                self.given_403 += 1
                return blocked()
            if not settings.rps or len(self._recent) <= settings.rps:
                return None
            self.given_429 += 1
            _forget(self._refused, now, settings.abuse_window)
            self._refused.append(now)
            if len(self._refused) >= settings.abuse_429s:
                self._blocked_until = now + settings.block_seconds
        return throttled(form=settings.throttle_format, retry_after=settings.retry_after)


def _forget(times: deque[float], now: float, window: float) -> None:
    # abs: a clock that was set back must not leave entries of the future behind.
    while times and abs(now - times[0]) >= window:
        times.popleft()
