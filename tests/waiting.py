"""Waiting for a state, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60.0


def wait_until(
    is_so: Callable[[], bool], what: str, *, seconds: float = PATIENCE, pause: float = 0.05
) -> None:
    """Return when ``is_so()``; raises :class:`TimeoutError` with ``what`` after ``seconds``."""
    give_up = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > give_up:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)
