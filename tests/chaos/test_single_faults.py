"""Single faults: a worker is killed at each of DESIGN's crash points, calls go wrong in every way.

One worker, rigged to stop at the chosen places, takes one form of a person for each crash point.
When its threads have stopped it gets ``kill -9``, and ordinary workers take over: what it left,
and one more person for each bad answer. The search lags by half a minute all the while.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.children import Child
from tests.chaos.crm_faults import CREATE, NOTE, SEARCH, UPDATE, html
from tests.chaos.population import Form, canonical
from tests.chaos.scale import Scale
from tests.chaos.scenario import Fate, Scenario, freeze
from tests.chaos.stack import Stack
from tests.waiting import wait_until

POST_LEAD, POST_NOTE, PATCH_LEAD = "POST .*/leads/complex", r"POST .*/notes", r"PATCH .*/leads/\d+"


@dataclass(frozen=True)
class CrashPoint:
    """``call`` is where the thread stops, ``when`` before or after it. ``fault`` is what the
    CRM makes of the call."""

    when: str
    call: str
    fault: dict[str, Any] | None = None
    is_known: bool = False
    action: str = "created"


POINTS = {
    "while it searches": CrashPoint("before", "GET .*query={digits}"),
    "after the claim, before the create is sent": CrashPoint("before", f"{POST_LEAD}.*{{token}}"),
    "while the create is on its way, which arrives later": CrashPoint(
        "after",
        f"{POST_LEAD}.*{{token}}",
        {**CREATE, "action": "apply_late", "delay": 6},
    ),
    "after the create, before its answer is read": CrashPoint("after", f"{POST_LEAD}.*{{token}}"),
    "after the lead, before the note": CrashPoint("before", f"{POST_NOTE}.*{{token}}"),
    "while the note is on its way, which never arrives": CrashPoint(
        "after", f"{POST_NOTE}.*{{token}}", {**NOTE, "action": "reset"}
    ),
    "while the note is on its way, which arrives later": CrashPoint(
        "after", f"{POST_NOTE}.*{{token}}", {**NOTE, "action": "apply_late", "delay": 6}
    ),
    "after the note, before its answer is read": CrashPoint("after", f"{POST_NOTE}.*{{token}}"),
    "while it updates a lead": CrashPoint(
        "after", f"{PATCH_LEAD}.*{{token}}", is_known=True, action="updated"
    ),
}


@dataclass(frozen=True)
class BadAnswer:
    """``where`` it hits and ``how``; ``is_known``: the person has a lead already."""

    where: dict[str, Any]
    how: dict[str, Any]
    is_known: bool = False


GATEWAY = {**html(504, "Gateway Time-out"), "action": "commit_then_answer"}
CASES = {
    "create: the answer is lost": BadAnswer(CREATE, {"action": "lose_answer"}),
    "update: the answer is lost": BadAnswer(UPDATE, {"action": "lose_answer"}, is_known=True),
    "note: the answer is lost": BadAnswer(NOTE, {"action": "lose_answer"}),
    "create: carried out after we gave up": BadAnswer(CREATE, {"action": "delay", "delay": 3}),
    "note: carried out after we gave up": BadAnswer(NOTE, {"action": "delay", "delay": 3}),
    "create: done, and a 504 in HTML": BadAnswer(CREATE, GATEWAY),
    "note: done, and a 504 in HTML": BadAnswer(NOTE, GATEWAY),
    "create: not done, and a 502 in HTML": BadAnswer(CREATE, html(502, "Bad Gateway")),
    "search: a storm of 502 in HTML": BadAnswer(SEARCH, {**html(502, "Bad Gateway"), "times": 4}),
    "search: the answer trickles": BadAnswer(SEARCH, {"action": "trickle", "delay": 0.2}),
    "create: the answer trickles": BadAnswer(CREATE, {"action": "trickle", "delay": 0.2}),
    "create: the connection is reset": BadAnswer(CREATE, {"action": "reset"}),
    "create: done, and the connection is reset": BadAnswer(
        CREATE, {"action": "reset", "commit": True}
    ),
}


@dataclass
class Aftermath:
    """What is left when everything has been repaired."""

    scenario: Scenario
    killed: dict[str, Form]
    answered: dict[str, Form]
    hits: dict[str, int]


@pytest.fixture(scope="module")
def aftermath(template: Path) -> Iterator[Aftermath]:
    """Let it all happen, until all are delivered."""
    scale = Scale(settle=8)
    with Stack(scale, workers=0, threads=len(POINTS) + 3, index_lag=30, template=template) as stack:
        scenario = Scenario(stack)
        killed = {name: scenario.somebody(is_known=one.is_known) for name, one in POINTS.items()}
        doomed = _doomed_worker(stack, killed)
        scenario.send(killed.values())
        marks = [stack.folder / f"frozen-{number}" for number in range(len(POINTS))]
        scenario.wait_until(lambda: all(mark.exists() for mark in marks), "stopped everywhere")
        doomed.kill()
        stack.workers += [stack.worker(f"heir-{number}") for number in range(2)]
        for heir in stack.workers[1:]:
            heir.start()
        answered = {name: scenario.somebody(is_known=one.is_known) for name, one in CASES.items()}
        rules = {name: _arm(stack, CASES[name], form) for name, form in answered.items()}
        scenario.send(answered.values())
        scenario.delivered(within=180)
        hits = {name: stack.control.hits(rule) for name, rule in rules.items()}
        yield Aftermath(scenario, killed, answered, hits)
        scenario.landing.close()


def _doomed_worker(stack: Stack, forms: dict[str, Form]) -> Child:
    places = []
    for number, (name, point) in enumerate(POINTS.items()):
        form = forms[name]
        call = point.call.format(token=form.token, digits=canonical(form.body["phone"]))
        places.append(freeze(stack.folder, str(number), point.when, call))
        if point.fault:
            stack.control.fault(**point.fault, body_has=form.token)
    worker = stack.worker("doomed", freeze=places)
    worker.start()
    stack.workers.append(worker)
    wait_until(lambda: stack.is_ready(worker), "the rigged worker is ready")
    return worker


def _arm(stack: Stack, case: BadAnswer, form: Form) -> int:
    about = (
        {"query_has": canonical(form.body["phone"])}
        if case.where is SEARCH
        else {"body_has": form.token}
    )
    return stack.control.fault(**{**case.where, **about, **case.how})


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_worker_leaves_nothing_undone_or_done_twice(
    aftermath: Aftermath, point: str
) -> None:
    assert aftermath.scenario.fate(aftermath.killed[point]) == Fate.good(POINTS[point].action)


@pytest.mark.parametrize("case", CASES)
def test_a_bad_answer_costs_neither_a_lead_nor_a_note(aftermath: Aftermath, case: str) -> None:
    assert aftermath.hits[case] == CASES[case].how.get("times", 1)

    action = "updated" if CASES[case].is_known else "created"
    assert aftermath.scenario.fate(aftermath.answered[case]) == Fate.good(action)


def test_after_all_that_nothing_is_left_over(aftermath: Aftermath) -> None:
    verdict = aftermath.scenario.verdict()

    assert verdict.findings == []
    assert verdict.is_clean
