"""Clocks that differ by less than is documented stop nothing."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.scale import Scale
from tests.chaos.scenario import Fate, Scenario
from tests.chaos.stack import Stack


def test_the_only_worker_delivers_though_its_clock_is_ahead(template: Path) -> None:
    with Stack(Scale.with_skew(90), workers=1, threads=2, template=template) as stack:
        scenario = Scenario(stack)
        form = scenario.somebody()
        scenario.send([form])
        scenario.delivered()
        assert scenario.fate(form) == Fate.good()
        scenario.landing.close()
