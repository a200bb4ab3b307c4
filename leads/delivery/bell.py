"""Dispatching accepted forms from a thread of its own: no request waits for the broker.

What gathers while the thread is busy is sent together over the one connection that
:mod:`leads.delivery.dispatch` keeps. In a storm of forms most are left to the sweep: messages would
cost the web server more than they are worth, for amoCRM takes a few submissions a second.
What is lost when the process ends costs one sweep as well.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from uuid import UUID

from leads.delivery import dispatch

#: At most so many are sent at once, and so many seconds lie between two times.
MOST_AT_ONCE = 3
PAUSE = 0.25
#: As many wait at most, as a sweep takes.
MOST_WAITING = 100


class Bell:
    """Rung by any thread of a process. Its own thread begins with the first ring, and anew in a
    process that is forked off; it holds up no process that ends."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._waiting: queue.Queue[UUID] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, submission_id: UUID) -> None:
        """Have the workers told of it soon. Never raises, never waits."""
        if not dispatch.can_dispatch():
            return
        try:
            self._waiting.put_nowait(submission_id)
        except queue.Full:  # the sweep finds it
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Return once everybody was told of, or given up."""
        self._waiting.join()

    def _run(self) -> None:
        while True:
            self._send_waiting()
            time.sleep(PAUSE)

    def _send_waiting(self) -> None:
        gathered = [self._waiting.get()]
        while len(gathered) < MOST_AT_ONCE and not self._waiting.empty():
            gathered.append(self._waiting.get())  # nobody else takes any
        dispatch.dispatch(gathered)
        for _ in gathered:
            self._waiting.task_done()


bell = Bell()
