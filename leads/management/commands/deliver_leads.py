"""Delivering what is due without Celery: from cron, by hand, or in a loop."""

from __future__ import annotations

import argparse
import math
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from amocrm import log_context
from amocrm.api import pause
from leads.delivery import backlog
from leads.delivery.connections import drop_old_connections
from leads.delivery.mirror_upkeep import look_after_mirror, walk_beside
from leads.delivery.recovery import add_extra_attempts_now
from leads.delivery.sweep import deliver_due

logger = log_context.get_logger(__name__)

_NAP = 0.1  # seconds; a signal is obeyed no later than this
_BATCH = 100


class Command(BaseCommand):
    """``manage.py deliver_leads [--now] [--watch SECONDS]``."""

    help = (
        "Delivers to amoCRM what is due. Once, or with --watch in a loop until SIGTERM or Ctrl-C,"
        " which it obeys between two deliveries (a second one stops it at once)."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--watch",
            type=_seconds,
            metavar="SECONDS",
            help="look again this often (0.1 to 3600); errors of the database or Redis are"
            " logged and survived",
        )

        parser.add_argument(
            "--now",
            action="store_true",
            help="first make due what waits for its next try; this one is not counted if it fails",
        )

    def handle(self, *, watch: float | None, now: bool, **options: Any) -> None:
        """Deliver; the last line is the count."""
        if now:
            self.stdout.write(f"{add_extra_attempts_now()} waiting made due")
        with _stop_on_signals() as stop:
            total = self._watch(watch, stop) if watch else self._all_due(stop)
        self.stdout.write(_sentence(total))

    def _all_due(self, stop: _Stop) -> Counter[str]:
        total: Counter[str] = Counter()
        while not stop.asked:
            counts = deliver_due(_BATCH, is_stopped=lambda: stop.asked)
            total += counts
            if counts.total() < _BATCH:
                break
        if paused := pause.current():
            self.stderr.write(f"The account is paused: {paused.reason}")
        return total

    def _watch(self, seconds: float, stop: _Stop) -> Counter[str]:
        total: Counter[str] = Counter()
        self.stdout.write(f"Delivering what is due, looking every {seconds:g} s")
        is_stopped = backlog.while_warning(lambda: stop.asked)
        while not stop.asked:
            counts: Counter[str] = Counter()
            try:
                drop_old_connections()
                counts = deliver_due(_BATCH, is_stopped=is_stopped)
                backlog.warn_if_late()
                look_after_mirror(walk_beside)
            except Exception:
                logger.exception("💥 This pass failed, the next one comes in %g s", seconds)
            if counts:
                logger.info("📦 %s", _sentence(counts))
            total += counts
            if counts.total() < _BATCH:
                _sleep(seconds, stop)
        return total


class _Stop:
    """A signal handler that remembers whether somebody asked to stop; twice stops at once."""

    asked = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def _stop_on_signals() -> Iterator[_Stop]:
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sleep(seconds: float, stop: _Stop) -> None:
    until = time.monotonic() + seconds
    while not stop.asked and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _NAP))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 3600")
    return seconds


def _sentence(counts: Counter[str]) -> str:
    if not counts:
        return "0 tries"
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    total = counts.total()
    return f"{total} {'try' if total == 1 else 'tries'}: {kinds}"
