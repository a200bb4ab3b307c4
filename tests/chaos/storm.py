"""One run: forms are sent, faults strike, dead processes come back, until all is delivered."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.crm_faults import CRM_FAULTS, CrmFault, Rule
from tests.chaos.judge import Verdict, judge
from tests.chaos.landing import Landing
from tests.chaos.population import Form, Plan
from tests.chaos.process_faults import PROCESS_FAULTS, ProcessFault
from tests.chaos.stack import Stack
from tests.waiting import wait_until

TICK = 0.05
UNHIT_SECONDS = 20.0  # a rule that nothing has hit by then is taken back
FORM_SECONDS = 240.0  # the same for a rule that is meant for one form
MOST_ARMED = 12
FORMS_AHEAD = 12  # a fault that is meant for one form takes one of the next so many


@dataclass
class _Armed:
    name: str
    at: float
    when_hit: Callable[[], object] | None
    is_counted: bool = False


@dataclass
class Outcome:
    """What a run was and what came of it."""

    verdict: Verdict
    faults: Counter[str]
    longest: float
    seconds: float
    hurried: int
    repeated_posts: int
    events: dict[str, int]
    requests: dict[str, Any] = field(default_factory=dict)


class Storm:
    """Runs in the thread that owns the stack's processes. Also the ``Field`` of the faults.

    ``backlog``: no more forms are sent while so many wait for delivery. ``only_crm``: nothing
    happens to our own processes. ``planted`` is called when those are in the CRM who were there
    before.
    """

    def __init__(
        self,
        stack: Stack,
        plan: Plan,
        *,
        faults: int,
        seed: int,
        seconds: float,
        backlog: int = 150,
        only_crm: bool = False,
        progress: Callable[[str], object] = lambda line: None,
        planted: Callable[[], object] = lambda: None,
    ) -> None:
        self.stack = stack
        self.chance = random.Random(seed)
        self.faults: Counter[str] = Counter()
        self._plan = plan
        self._wanted_faults = faults
        self._seconds = seconds
        self._backlog = backlog
        self._progress = progress
        self._planted = planted
        self._landing = Landing(stack.web_url)
        self._queue = list(plan.forms)
        self._by_person: dict[int, list[Form]] = {}
        for form in plan.forms:
            self._by_person.setdefault(form.person, []).append(form)
        self._sent: dict[int, Form] = {}
        self._delivered: set[str] = set()
        self._pending: set[str] = set()
        self._longest = 0.0
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._ticket = itertools.count()
        self._broken: set[str] = set()
        self._armed: dict[int, _Armed] = {}
        self._spoken_for: set[int] = set()
        self._hurried = 0
        self._ended: list[str] = []
        kinds: list[CrmFault | ProcessFault] = list(CRM_FAULTS)
        if not only_crm:
            kinds += [one for one in PROCESS_FAULTS if stack.redis or not one.needs_redis]
        self._kinds = kinds
        # A kind that never struck is to be seen in the table.
        self.faults.update({kind.name: 0 for kind in kinds})

    def run(self) -> Outcome:
        """Send, strike, repair; then judge."""
        control = self.stack.control
        control.seed(contacts=self._plan.contacts, leads=self._plan.leads)
        self._planted()
        before = control.state()
        started = time.monotonic()
        last: dict[Callable[[], None], float] = {}
        chores = ((self._observe, 0.3), (self._rules, 0.2), (self._operate, 1.0), (self._say, 5.0))
        try:
            while not self._is_over() and time.monotonic() - started < self._seconds:
                self._run_timers()
                for chore, pause in chores:
                    if time.monotonic() - last.get(chore, 0.0) >= pause:
                        chore()
                        last[chore] = time.monotonic()
                self._send()
                self._strike()
                self._tend()
                time.sleep(TICK)
        finally:
            self._landing.close()
        seconds = time.monotonic() - started
        self._calm_down()
        verdict = judge(self.stack, self._plan, self._landing.accepted, before)
        verdict.findings += [f"{error!r}" for error in self._landing.errors]
        verdict.findings += [f"{name} ended by itself" for name in self._ended]
        if not self._is_over():
            verdict.findings.append(
                f"not over after {seconds:.0f} s: {self.stack.rows.why_pending()}"
            )
        return Outcome(
            verdict=verdict,
            faults=self.faults,
            longest=self._longest,
            seconds=seconds,
            hurried=self._hurried,
            repeated_posts=self._landing.repeated,
            events=self.stack.rows.events(),
            requests=control.state()["requests"],
        )

    # What faults ask for ----------------------------------------------------------------------

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something in a while, in this thread."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._ticket), action))

    def struck(self, name: str) -> None:
        """Count a fault."""
        self.faults[name] += 1

    def arm(self, name: str, rule: Rule, *, when_hit: Callable[[], object] | None = None) -> None:
        """Put a rule in force; it counts as a fault when it first hits."""
        rule_id = self.stack.control.fault(**rule)
        self._armed[rule_id] = _Armed(name, time.monotonic(), when_hit)

    def upcoming(self) -> Form | None:
        """A form that is to be sent soon and that nobody has plans with.

        Those that wait for an earlier wave lie in front, and none of them makes a lead.
        """
        ready = (form for form in self._queue if self._may_be_sent(form))
        for form in itertools.islice(ready, FORMS_AHEAD):
            if form.number not in self._spoken_for:
                self._spoken_for.add(form.number)
                return form
        return None

    def submission_of(self, form: Form) -> str | None:
        """The form's submission, once it is accepted."""
        return self._landing.accepted.get(form.number)

    def begin(self, what: str) -> bool:
        """Reserve something that can be broken once at a time; false if it is broken."""
        is_free = what not in self._broken
        self._broken.add(what)
        return is_free

    def end(self, what: str) -> None:
        """It works again."""
        self._broken.discard(what)

    # The run ----------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        accepted = dict(self._landing.accepted)
        is_waiting = (
            self._timers
            or len(accepted) < len(self._plan.forms)
            or set(accepted.values()) - self._delivered
        )
        return bool(self._landing.errors) or not is_waiting

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _observe(self) -> None:
        accepted = set(dict(self._landing.accepted).values())
        self._pending = self.stack.rows.pending()
        now = time.monotonic()
        for reference in accepted - self._pending - self._delivered:
            self._delivered.add(reference)
            self._longest = max(self._longest, now - self._landing.accepted_at[reference])

    def _send(self) -> None:
        room = self._backlog - (len(self._sent) - len(self._delivered))
        kept: list[Form] = []
        for place, form in enumerate(self._queue):
            if room <= 0 or len(kept) > 2 * self._backlog:
                kept += self._queue[place:]
                break
            if not self._may_be_sent(form):
                kept.append(form)
                continue
            self._sent[form.number] = form
            self._landing.send([form])
            room -= 1
        self._queue = kept

    def _may_be_sent(self, form: Form) -> bool:
        """Whether every earlier wave of its person is delivered."""
        earlier = (other for other in self._by_person[form.person] if other.wave < form.wave)
        return all(self._landing.accepted.get(one.number, "") in self._delivered for one in earlier)

    def _strike(self) -> None:
        struck = self.faults.total()
        due = self._wanted_faults * (len(self._sent) + 1) / len(self._plan.forms)
        armed = sum(not (one.is_counted or one.when_hit) for one in self._armed.values())
        if struck >= self._wanted_faults or struck + armed >= due or armed >= MOST_ARMED:
            return
        kind = self.chance.choices(self._kinds, [one.weight for one in self._kinds])[0]
        if isinstance(kind, CrmFault):
            self.arm(kind.name, kind.rule(self.chance, self.stack.scale))
        else:
            kind.strike(self, kind.name)

    def _rules(self) -> None:
        for rule in self.stack.control.faults():
            armed = self._armed[rule["id"]]
            if rule["hits"] and not armed.is_counted:
                armed.is_counted = True
                self.struck(armed.name)
                if armed.when_hit:
                    armed.when_hit()
            patience = FORM_SECONDS if armed.when_hit else UNHIT_SECONDS
            unhit = not rule["hits"] and time.monotonic() - armed.at > patience
            if unhit or rule["hits"] >= rule["times"] or self._nobody_is_left():
                self.stack.control.clear_faults(rule["id"])
                del self._armed[rule["id"]]

    def _nobody_is_left(self) -> bool:
        return not self._queue and not self._pending

    def _operate(self) -> None:
        self._hurried += self.stack.rows.hurry()
        if "settings" not in self._broken or self.chance.random() < 0.3:
            self.stack.rows.probe_now()

    def _tend(self) -> None:
        """What ended though nobody killed it is a finding, and comes back."""
        for child in (self.stack.web, self.stack.beat, *self.stack.workers):
            if child.expected_to_run and not child.is_running:
                self._ended.append(child.name)
                child.expected_to_run = False
                self.later(1, child.start)

    def _say(self) -> None:
        self._progress(
            f"sent {len(self._sent)}/{len(self._plan.forms)}, delivered {len(self._delivered)},"
            f" faults {self.faults.total()}/{self._wanted_faults},"
            f" longest {self._longest:.0f} s"
        )

    def _calm_down(self) -> None:
        """Let everything come to rest: late writes, locks that run out, zombies that give up."""
        self.stack.control.clear_faults()
        if self.stack.redis:
            self.stack.redis.resume()
        for worker in self.stack.workers:
            worker.resume()
        try:
            wait_until(self._is_quiet, "quiet", seconds=self.stack.scale.lock_ttl + 15)
        except TimeoutError:
            return  # the judge says what is left

    def _is_quiet(self) -> bool:
        late = self.stack.control.state()["late_writes"]
        return not late and not self.stack.locks() and not self.stack.rows.creating()
