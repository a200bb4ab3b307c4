"""A write whose answer was lost is looked for a few times, at growing distances."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from amocrm.upsert.settling import next_look

SENT_AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def looks(settle: float, first: float) -> list[float]:
    """The ages of the write, in seconds, at which it is looked for, the first one given."""
    ages = [first]
    while ages[-1] < settle:
        with time_machine.travel(SENT_AT + timedelta(seconds=ages[-1]), tick=False):
            ages.append(ages[-1] + next_look(SENT_AT, timedelta(seconds=settle)).total_seconds())
    return ages


@pytest.mark.parametrize(
    ("settle", "first", "ages"),
    [
        (300, 5, [5, 15, 45, 135, 301]),
        (300, 0, [0, 5, 15, 45, 135, 301]),
        (300, 299.5, [299.5, 301]),
        (45, 5, [5, 15, 45]),
        (2, 0, [0, 3]),
    ],
)
def test_each_look_comes_at_three_times_the_age_and_the_last_right_after_settling(
    settle: float, first: float, ages: list[float]
) -> None:
    assert looks(settle, first) == ages


def test_a_clock_that_is_ahead_or_a_look_that_took_long_still_leaves_a_second() -> None:
    for age in (-600, 1000):
        with time_machine.travel(SENT_AT + timedelta(seconds=age), tick=False):
            wait = next_look(SENT_AT, timedelta(seconds=300))
        assert timedelta(seconds=1) <= wait <= timedelta(seconds=901)
