"""One password at a time: checking one keeps a core busy for half a second, on purpose.

Without turns, those who send wrong passwords all the time would hold every thread and every core,
and nobody else would be answered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from config.login.refusal import LoginRefused, Refusal

#: So many threads of a process wait at most, of one address one, each for so many seconds.
MOST_WAITING = 2
LONGEST_WAIT = 3.0
#: What whoever gets no turn is asked to wait, in seconds.
COME_BACK = 5


class Turns:
    """The turns of one process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._waiting: list[str | None] = []  # addresses, in the order in which they came

    @contextmanager
    def turn(self, address: str | None, *, may_wait: bool) -> Iterator[None]:
        """The only turn, for this block. Raises ``LoginRefused``: at once where nobody may wait
        any more or the caller may not, else after :data:`LONGEST_WAIT`."""
        with self._changed:
            if self._taken or self._waiting:
                self._wait(address, may_wait=may_wait)
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()

    def refusal(self) -> Refusal | None:
        """What anybody is told just now, because nobody could even wait."""
        return busy() if len(self._waiting) >= MOST_WAITING else None

    def _wait(self, address: str | None, *, may_wait: bool) -> None:
        if not may_wait or len(self._waiting) >= MOST_WAITING or address in self._waiting:
            raise LoginRefused(busy())
        self._waiting.append(address)
        try:
            if not self._changed.wait_for(lambda: self._is_next(address), LONGEST_WAIT):
                raise LoginRefused(busy())
        finally:
            self._waiting.remove(address)
            self._changed.notify_all()

    def _is_next(self, address: str | None) -> bool:
        return not self._taken and self._waiting[0] == address


def busy() -> Refusal:
    """Come back in :data:`COME_BACK` seconds."""
    return Refusal(is_busy=True, until=time.time() + COME_BACK)


#: Those of browsers that are known, and those of everybody else: `config.login.browsers`.
known, strangers = Turns(), Turns()
