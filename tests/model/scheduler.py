"""A scheduler that decides who runs next.

Workers are threads of which exactly one runs at any time, from one *step* (a call of the CRM, a
read or write of the ledger) to the next. At every step the scheduler may go on with the same
worker, switch, kill it, lose an answer, hold a request back, or let it sleep for too long. What
it decides comes from a *plan*, so that every run can be repeated.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

STEP_TIMEOUT = 30.0  # seconds; a step that takes longer hangs


class Crash(BaseException):
    """The worker's process was killed: nothing of it runs any more."""


@dataclass
class Parked:
    """A worker waits at a step for what is decided about it."""

    label: str
    can_fail: bool = False


@dataclass
class Ended:
    """A worker came to the end of its job."""

    error: BaseException | None


class Worker:
    """A thread that does one job after another, step by step."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state: Parked | Ended | None = None
        self.sleeps = False
        self._reports: queue.SimpleQueue[Parked | Ended] = queue.SimpleQueue()
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether it has a job that is not ended."""
        return isinstance(self.state, Parked)

    def begin(self, job: Callable[[], None]) -> None:
        """Take a job; it waits at its beginning."""
        self.sleeps = False
        self._jobs.put(job)
        self.state = self._reports.get(timeout=STEP_TIMEOUT)

    def go(self, order: str = "go") -> None:
        """Run to the next step or to the end."""
        self._orders.put(order)
        self.state = self._reports.get(timeout=STEP_TIMEOUT)

    def park(self, label: str, *, can_fail: bool = False) -> str:
        """Called by the worker's own thread at a step: wait for the order.

        Raises :class:`Crash` when the order is to die.
        """
        self._reports.put(Parked(label, can_fail))
        order = self._orders.get()
        if order == "crash":
            raise Crash
        return order

    def end(self) -> None:
        """Let the thread come to its end."""
        self._jobs.put(None)
        self._thread.join(STEP_TIMEOUT)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            current.worker = self
            error: BaseException | None = None
            try:
                self.park("begin")
                job()
            except BaseException as raised:
                error = raised
            self._reports.put(Ended(error))
        from django.db import connections

        connections.close_all()


class _Current(threading.local):
    worker: Worker | None = None


current = _Current()


def step(label: str, *, can_fail: bool = False) -> str:
    """A step of the worker whose thread calls it; other threads go straight on."""
    if current.worker is None:
        return "go"
    return current.worker.park(label, can_fail=can_fail)


@dataclass
class Plan:
    """Which option to take at which decision; everywhere else the first one.

    ``script`` names decisions by what is about to happen: rules like ``("0: claim", "switch to
    1")`` are used up one after another, each at the first decision that it fits. ``widths`` is
    how many options each decision had, filled in while it runs.
    """

    chosen: dict[int, int] = field(default_factory=dict)
    script: tuple[tuple[str, str], ...] = ()
    widths: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    _used: int = 0

    def decide(self, options: list[str]) -> str:
        """One of ``options``; the first is what happens when nothing goes wrong."""
        place = len(self.widths)
        self.widths.append(len(options))
        option = options[min(self.chosen.get(place, 0), len(options) - 1)]
        if self._used < len(self.script):
            about, verb = self.script[self._used]
            fitting = [one for one in options if one.startswith(verb)]
            if about in options[0] and fitting:
                option = fitting[0]
                self._used += 1
        self.told.append(option)
        return option

    @property
    def is_used_up(self) -> bool:
        """Whether every rule of the script has found its decision."""
        return self._used == len(self.script)
