"""The table of DESIGN's schedule, with its jitter at both ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leads.delivery.retry import come_back_delay, delay_after

TABLE = [5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200]


@pytest.mark.parametrize(("attempts", "seconds"), list(enumerate(TABLE, start=1)))
def test_each_failed_attempt_waits_as_the_table_says(attempts: int, seconds: int) -> None:
    assert delay_after(attempts, lambda: 0.5) == timedelta(seconds=seconds)
    assert delay_after(attempts, lambda: 0.0) == timedelta(seconds=seconds * 0.8)
    assert delay_after(attempts, lambda: 1.0) == timedelta(seconds=seconds * 1.2)


def test_after_the_table_there_is_no_other_attempt() -> None:
    assert delay_after(len(TABLE) + 1) is None
    assert delay_after(1000) is None


def test_coming_back_takes_three_to_ten_seconds() -> None:
    assert come_back_delay(lambda: 0.0) == timedelta(seconds=3)
    assert come_back_delay(lambda: 1.0) == timedelta(seconds=10)
