"""Clocks that differ by less than is documented stop nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.scale import Scale
from tests.chaos.scenario import Fate, Scenario
from tests.chaos.stack import Stack


@pytest.mark.parametrize("skew", [90, -90], ids=["ahead", "behind"])
def test_the_only_worker_delivers_at_once_though_its_clock_is(template: Path, skew: float) -> None:
    with Stack(Scale.with_skew(skew), workers=1, threads=2, template=template) as stack:
        scenario = Scenario(stack)
        form = scenario.somebody()
        scenario.send([form])
        scenario.delivered(within=abs(skew) / 2)
        assert scenario.fate(form) == Fate.good()
        scenario.landing.close()
