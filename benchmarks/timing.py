"""Taking the time of something that is done many times."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of each run, in the order in which they were made."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """What half of the runs stayed below."""
        return statistics.median(self.seconds)

    def percentile(self, percent: float) -> float:
        """What so many of a hundred runs stayed below."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]

    @property
    def worst(self) -> float:
        """The slowest run."""
        return max(self.seconds)

    def __add__(self, other: Timing) -> Timing:
        return Timing(self.seconds + other.seconds)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that ``work`` takes once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def repeat(work: Callable[[], object], times: int, *, warm_up: bool = True) -> Timing:
    """Time ``work`` so many times; with ``warm_up`` after one run that does not count."""
    if warm_up:
        work()
    return Timing(tuple(timed(work) for _ in range(times)))


def in_turns(
    works: Iterable[Callable[[], object]], *, rounds: int, times: int
) -> tuple[Timing, ...]:
    """Time several works in turns, so that a busy machine is equally busy for all of them."""
    listed = list(works)
    found = [Timing(()) for _ in listed]
    for _ in range(rounds):
        for at, work in enumerate(listed):
            found[at] += repeat(work, times)
    return tuple(found)
