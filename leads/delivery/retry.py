"""When the next attempt is made."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

#: A number from 0 up to 1, as ``random.random`` gives it. Injected by tests.
Chance = Callable[[], float]

#: How long to wait after the first, second… failed attempt. After the last one: failed.
DELAYS: tuple[timedelta, ...] = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(hours=12),
)
JITTER = 0.2

COME_BACK_MIN = 3.0
COME_BACK_MAX = 10.0


def delay_after(attempts: int, chance: Chance = random.random) -> timedelta | None:
    """How long to wait after ``attempts`` failed attempts; ``None``: that was the last one."""
    if attempts > len(DELAYS):
        return None
    return DELAYS[attempts - 1] * (1 - JITTER + 2 * JITTER * chance())


def come_back_delay(chance: Chance = random.random) -> timedelta:
    """A few seconds, spread so that those who wait for one lock do not return together."""
    return timedelta(seconds=COME_BACK_MIN + (COME_BACK_MAX - COME_BACK_MIN) * chance())
