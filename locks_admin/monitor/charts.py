"""The last hour of waiting and holding as bars: geometry only, the template draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from amocrm.locks.stats import MINUTES, Minute
from locks_admin.formats import duration

HEIGHT = 60
STEP = 10
BAR = 8
WIDTH = MINUTES * STEP
_SCALES = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 60_000, 120_000, 300_000)


@dataclass(frozen=True)
class Bar:
    """One minute: the longest (pale) and the average (strong), in units of the drawing."""

    x: int
    longest: float
    average: float
    title: str

    @property
    def longest_top(self) -> float:
        """Where the pale bar begins."""
        return round(HEIGHT - self.longest, 1)

    @property
    def average_top(self) -> float:
        """Where the strong bar begins."""
        return round(HEIGHT - self.average, 1)


@dataclass(frozen=True)
class Panel:
    """One of the two drawings. ``top`` is the value at its upper edge, in words."""

    title: str
    top: str
    summary: str
    bars: list[Bar]


def panels(minutes: Sequence[Minute]) -> list[Panel]:
    """Waiting above, holding below, each on its own scale; none when nothing happened."""
    if not any(minute.waited_ms or minute.held_ms for minute in minutes):
        return []
    return [
        _panel(_("Waited for a lock"), minutes, lambda minute: minute.waited_ms),
        _panel(_("Held a lock"), minutes, lambda minute: minute.held_ms),
    ]


def _panel(title: str, minutes: Sequence[Minute], figures: Callable[[Minute], list[int]]) -> Panel:
    everything = [ms for minute in minutes for ms in figures(minute)]
    longest = max(everything, default=0)
    scale = next((step for step in _SCALES if longest <= step), longest)
    bars = [_bar(at, minute, figures(minute), scale) for at, minute in enumerate(minutes)]
    average = sum(everything) / len(everything) if everything else 0
    return Panel(
        title=title,
        top=duration(scale),
        summary=_("%(count)d times, on average %(average)s, at most %(longest)s")
        % {
            "count": len(everything),
            "average": duration(average),
            "longest": duration(longest),
        },
        bars=[bar for bar in bars if bar is not None],
    )


def _bar(at: int, minute: Minute, figures: list[int], scale: int) -> Bar | None:
    if not figures:
        return None
    average = sum(figures) / len(figures)
    title = _("%(time)s: %(count)d times, on average %(average)s, at most %(longest)s") % {
        "time": timezone.localtime(minute.start).strftime("%H:%M"),
        "count": len(figures),
        "average": duration(average),
        "longest": duration(max(figures)),
    }
    return Bar(
        x=at * STEP,
        longest=_height(max(figures), scale),
        average=_height(average, scale),
        title=title,
    )


def _height(ms: float, scale: int) -> float:
    return max(1.0, round(HEIGHT * ms / scale, 1))
