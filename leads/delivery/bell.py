"""Ringing for the workers from a thread of its own: nobody who rings waits for the broker.

However many ring while the thread is busy or pauses, the workers are told once: whoever hears that
there is work takes what is due, and rings on if that is more. What is lost when the process ends
costs one sweep.
"""

from __future__ import annotations

import os
import threading
import time

from django.utils import timezone

from leads.delivery import dispatch

#: Seconds between two times at least. The first ring after them is heard at once.
PAUSE = 0.25


class Bell:
    """Rung by any thread of a process. Its own thread begins with the first ring, and anew in a
    process that is forked off; it holds up no process that ends."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._rung, self._quiet = threading.Event(), threading.Event()
        self._quiet.set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Have the workers told soon that there is work. Never raises, never waits."""
        if not dispatch.can_tell():
            return
        with self._lock:
            self._quiet.clear()
            self._rung.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Return once the workers were told of every ring before, or given up."""
        self._quiet.wait()

    def _run(self) -> None:
        while True:
            self._rung.wait()
            # Before telling: who rings from now on may have work that nobody is told of.
            self._rung.clear()
            dispatch.tell_workers(timezone.now())
            with self._lock:
                if not self._rung.is_set():
                    self._quiet.set()
            time.sleep(PAUSE)


bell = Bell()
