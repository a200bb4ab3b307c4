"""Interleavings of two and three workers over the real functions, without any lock."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from tests.model.explore import Broken, Explorer, Scenario
from tests.model.guards import GUARDS, Guard
from tests.model.scenarios import ALL
from tests.model.scheduler import Plan

RUNS = int(os.environ.get("MODEL_RUNS", "40"))  # with several deviations, after all with one
GUARD_RUNS = 400  # at the most: it ends with the first that breaks the promise

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model(settings: object) -> Iterator[Explorer]:
    settings.REDIS_ENABLED = False  # type: ignore[attr-defined]
    logging.disable(logging.CRITICAL)  # a million lines say nothing
    yield Explorer()
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_no_interleaving_breaks_the_promise(model: Explorer, scenario: Scenario) -> None:
    model.explore(scenario, runs=RUNS)

    assert model.runs > RUNS


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_model_check_fails_without_the_guard(model: Explorer, guard: Guard) -> None:
    if guard.script:
        plan = model.run(guard.scenario, Plan(script=guard.script))
        assert plan.is_used_up, plan.told

    with guard.without(), pytest.raises(Broken):
        _look_for_trouble(model, guard)


def _look_for_trouble(model: Explorer, guard: Guard) -> None:
    if guard.script:
        model.run(guard.scenario, Plan(script=guard.script))
    else:
        model.explore(guard.scenario, runs=GUARD_RUNS)
