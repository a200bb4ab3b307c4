"""What concerns everybody goes away for a while: the account, Redis, the locks, the web server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.chaos.crm_faults import ANY, SEARCH, html
from tests.chaos.population import Form
from tests.chaos.scale import Scale
from tests.chaos.scenario import Fate, Scenario
from tests.chaos.stack import Stack

UNPAID = {"title": "Payment Required", "status": 402, "detail": "Account is not paid"}
ACCOUNT_TROUBLES: tuple[dict[str, Any], ...] = (
    {"action": "answer", "status": 402, "body": UNPAID, "times": 2},
    html(429, "Too Many Requests"),
    {**html(403, "Forbidden"), "times": 2},
)


@pytest.fixture(scope="module")
def scenario(template: Path) -> Iterator[Scenario]:
    """One running service for all of these."""
    with Stack(Scale(), workers=1, threads=4, template=template) as stack:
        running = Scenario(stack)
        running.send(people(running, 4))  # what is slow only once is not what is tested
        running.delivered()
        yield running
        running.landing.close()


def people(scenario: Scenario, count: int) -> list[Form]:
    """New people."""
    return [scenario.somebody() for _ in range(count)]


def all_good(scenario: Scenario, forms: list[Form]) -> None:
    """Everybody has one lead with one note, and nothing else is left."""
    assert [scenario.fate(form) for form in forms] == [Fate.good()] * len(forms)
    assert scenario.verdict().findings == []


def test_402_and_429_and_403_one_after_the_other_lose_nobody(scenario: Scenario) -> None:
    control, forms = scenario.stack.control, people(scenario, 8)
    waiting = list(forms)
    for trouble in ACCOUNT_TROUBLES:
        rule = control.fault(**{**ANY, **trouble})
        scenario.send([waiting.pop(), waiting.pop()])
        scenario.wait_until(lambda rule=rule: control.hits(rule) > 0, "hit")  # type: ignore[misc]
        control.clear_faults(rule)
    scenario.send(waiting)
    scenario.delivered()

    all_good(scenario, forms)
    assert scenario.stack.rows.events()["account_paused"] >= 1


def test_a_token_refused_in_the_middle_loses_nobody(scenario: Scenario) -> None:
    before, after = people(scenario, 2), people(scenario, 2)
    scenario.send(before)
    scenario.stack.control.config(revoked_tokens=["*"])

    scenario.send(after)
    time.sleep(1)
    scenario.stack.control.config(revoked_tokens=[])
    scenario.delivered()

    all_good(scenario, before + after)


def test_a_worker_that_was_full_when_redis_died_goes_on_with_an_empty_one(
    scenario: Scenario,
) -> None:
    redis = scenario.stack.redis
    assert redis is not None
    forms = people(scenario, 14)
    rule = scenario.stack.control.fault(**SEARCH, action="delay", delay=1.2, times=-1)
    scenario.send(forms)
    scenario.wait_until(lambda: scenario.stack.control.hits(rule) >= 4, "full")

    redis.kill()
    time.sleep(2)
    redis.start()
    scenario.stack.control.clear_faults(rule)
    scenario.delivered(within=60)

    all_good(scenario, forms)


def test_forms_are_accepted_at_once_while_redis_is_frozen(scenario: Scenario) -> None:
    redis = scenario.stack.redis
    assert redis is not None
    forms = people(scenario, 3)
    redis.pause()

    try:
        started = time.monotonic()
        scenario.send(forms)
        took = time.monotonic() - started
        assert len(scenario.stack.rows.pending()) == 3
    finally:
        redis.resume()
    assert took < 20
    scenario.delivered()

    all_good(scenario, forms)


def test_clearing_all_locks_in_the_middle_doubles_nothing(scenario: Scenario) -> None:
    forms = people(scenario, 3)
    twice = [*forms, *(scenario.again(form) for form in forms)]
    rule = scenario.stack.control.fault(**SEARCH, action="delay", delay=1.2, times=-1)

    scenario.send(twice)
    scenario.wait_until(lambda: len(scenario.stack.locks()) > 0, "locked")
    said = scenario.stack.manage("clear_amocrm_locks", "--noinput")
    scenario.stack.clear_locks()
    scenario.stack.control.clear_faults(rule)
    scenario.delivered()

    assert "Cleared " in said
    assert scenario.verdict().findings == []


def test_a_form_whose_web_server_dies_before_the_bell_is_delivered_by_the_sweep(
    scenario: Scenario,
) -> None:
    """A frozen Redis holds the bell up; the web server dies meanwhile."""
    stack = scenario.stack
    assert stack.redis is not None
    stack.restart_web()  # it must not leave the broker alone because of an earlier outage
    form = scenario.somebody()
    stack.redis.pause()
    try:
        assert _is_answered(stack, form)
        stack.web.kill()
    finally:
        stack.redis.resume()
        stack.restart_web()

    scenario.delivered()
    scenario.send([form])  # the page tries again, with the same key

    all_good(scenario, [form])


def _is_answered(stack: Stack, form: Form) -> bool:
    headers = {"Idempotency-Key": f"chaos-{form.number}"}
    try:
        requests.post(stack.web_url + form.path, json=form.body, headers=headers, timeout=10)
    except requests.RequestException:
        return False
    return True
