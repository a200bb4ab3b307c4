"""The sandbox's own time, which tests can push forward instead of sleeping."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the epoch that never run backwards by themselves.

    ``offset`` (seconds) is added to what the machine says; set it to see an index lag or
    a block pass without waiting for it.
    """

    def __init__(self) -> None:
        self._epoch = time.time() - time.monotonic()
        self.offset = 0.0
        self._stopped_at: float | None = None

    def freeze(self, frozen: bool) -> None:
        """Stand still until told otherwise; only ``offset`` moves a frozen clock."""
        if frozen != (self._stopped_at is not None):
            self._stopped_at = self._epoch + time.monotonic() if frozen else None

    def seconds(self) -> float:
        """Now, in seconds since the epoch, with fractions."""
        running = self._epoch + time.monotonic()
        return (running if self._stopped_at is None else self._stopped_at) + self.offset

    def stamp(self) -> int:
        """Now as amoCRM writes it: whole seconds since the epoch."""
        return int(self.seconds())
