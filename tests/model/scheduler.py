"""A scheduler that decides who runs next.

Workers are greenlets, of which exactly one runs at any time, from one *step* (a call of the CRM,
a read or write of the ledger) to the next: as threads would, if each waited for the others, but
without waiting for the system to wake it up. At every step the scheduler may go on with the same
worker, switch, kill it, lose an answer, hold a request back, or let it sleep for too long. What
it decides comes from a *plan*, so that every run can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connection
from greenlet import getcurrent, greenlet


class Crash(BaseException):
    """The worker's process was killed: nothing of it runs any more."""


@dataclass
class Parked:
    """A worker waits at a step for what is decided about it."""

    label: str
    here: greenlet
    failures: tuple[str, ...] = ()


@dataclass
class Ended:
    """A worker came to the end of its job."""

    error: BaseException | None


class Worker:
    """Does one job after another, step by step, each in a greenlet of its own."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state: Parked | Ended | None = None
        self.sleeps = False
        self._job: greenlet

    @property
    def is_busy(self) -> bool:
        """Whether it has a job that is not ended."""
        return isinstance(self.state, Parked)

    def begin(self, job: Callable[[], None]) -> None:
        """Take a job; it waits at its beginning."""
        self.sleeps, self.state = False, None
        self._job = greenlet(_do)
        self._switch(job)

    def go(self, order: str = "go") -> None:
        """Run to the next step or to the end."""
        self._switch(order)

    def _switch(self, given: Callable[[], None] | str) -> None:
        # In a batch it is one of its deliveries that waits, in a greenlet within ours.
        where = self.state.here if isinstance(self.state, Parked) else self._job
        self.state = where.switch(given)


def _do(job: Callable[[], None]) -> Ended:
    try:
        step("begin")
        job()
    except BaseException as error:  # Crash is one: it must pass what catches mere errors
        return Ended(error)
    return Ended(None)


def step(label: str, *, failures: tuple[str, ...] = ()) -> str:
    """A step of the worker that calls it: wait for the order. Whoever is no worker goes straight
    on. ``failures``: what may become of it instead.

    Raises :class:`Crash` when the order is to die.
    """
    here = scheduler = getcurrent()
    while scheduler.parent is not None:
        scheduler = scheduler.parent
    if scheduler is here:
        return "go"
    # The workers share a connection: in a transaction of one, all would be.
    assert not connection.in_atomic_block, f"{label} is within a transaction"
    order = scheduler.switch(Parked(label, here, failures))
    if order == "crash":
        raise Crash
    return str(order)


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
