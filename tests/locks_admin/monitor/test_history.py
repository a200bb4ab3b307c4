"""The history as it is told, and drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone, translation

from amocrm.locks.history import Kind, LockEvent
from amocrm.locks.stats import MINUTES, Minute
from locks_admin.formats import duration
from locks_admin.monitor import charts
from locks_admin.monitor.history import with_expiries


def event(kind: Kind, holder: str, *, seconds_ago: float) -> LockEvent:
    """Something that happened."""
    at = timezone.now() - timedelta(seconds=seconds_ago)
    return LockEvent(f"{at.timestamp():.0f}-{holder}-{kind}", at, kind, "n", holder, "r")


def expired(events: list[LockEvent], held: set[str]) -> list[str]:
    """Whose silent end is told."""
    told = with_expiries(events, held)
    assert told == sorted(told, key=lambda one: one.at, reverse=True)
    return [one.holder_id for one in told if one.kind is Kind.EXPIRED and one not in events]


def test_the_lock_of_a_dead_worker_is_told_to_have_expired() -> None:
    acquired = event(Kind.ACQUIRED, "dead", seconds_ago=300)
    assert expired([acquired], held=set()) == ["dead"]


@pytest.mark.parametrize("end", [Kind.RELEASED, Kind.LOST, Kind.EXPIRED, Kind.CLEARED])
def test_a_lock_with_an_end_has_no_second_one(end: Kind) -> None:
    events = [event(end, "h", seconds_ago=200), event(Kind.ACQUIRED, "h", seconds_ago=300)]
    assert expired(events, held=set()) == []


def test_a_lock_that_is_held_or_may_still_run_has_not_expired() -> None:
    held = event(Kind.ACQUIRED, "held", seconds_ago=300)
    fresh = event(Kind.ACQUIRED, "fresh", seconds_ago=5)
    assert expired([fresh, held], held={"held"}) == []


def minutes(**figures: list[int]) -> list[Minute]:
    """An hour of which only the last minute has figures."""
    first = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    hour = [Minute(first + timedelta(minutes=at)) for at in range(MINUTES)]
    hour[-1] = Minute(hour[-1].start, **figures)
    return hour


def test_an_hour_without_locks_has_no_chart() -> None:
    assert charts.panels(minutes()) == []


def test_bars_stay_within_the_drawing() -> None:
    waited, held = charts.panels(minutes(waited_ms=[0, 10], held_ms=[400_000]))
    (bar,) = waited.bars
    assert bar.x + charts.BAR <= charts.WIDTH
    assert 0 < bar.average < bar.longest <= charts.HEIGHT
    assert bar.longest_top == charts.HEIGHT - bar.longest
    assert held.bars[0].longest == charts.HEIGHT


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (59_999, "59.9 s"),
        (60_000, "1 min 0 s"),
        (3_599_999, "59 min 59 s"),
        (3_600_000, "1 h 0 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_durations_are_shown_in_their_largest_units(ms: int, shown: str) -> None:
    with translation.override("en"):
        assert duration(ms) == shown


def test_a_russian_fraction_has_a_comma() -> None:
    with translation.override("ru"):
        assert duration(2_340) == "2,3 с"
