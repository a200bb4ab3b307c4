"""Runs of one scenario under many plans, and what must be true at the end of each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from django.test import override_settings

from amocrm import models
from amocrm.errors import AmoError
from tests.model.scheduler import Crash, Ended, Parked, Plan, Worker
from tests.model.world import Job, Submission, World, running, submissions_of

MOST_ROUNDS = 14


class Broken(AssertionError):
    """The promise was broken; the text tells the run."""


@dataclass(frozen=True)
class Scenario:
    """`prepare` fills the CRM and says what is done; everybody in it is one person, once
    everything is known, or at most so many `people`. `most_made`: how many leads we may make,
    shown to operators or not. `may_be_shown`: more leads are allowed where operators are shown
    them, because nothing had named these two together when they were made, or only an operator
    may say that they are one. `check` says what else is wrong at the end."""

    name: str
    prepare: Callable[[World], Sequence[Job]]
    most_made: int | None = None
    may_be_shown: bool = False
    people: int = 1
    settings: Mapping[str, object] = field(default_factory=dict)
    check: Callable[[World], str] = lambda world: ""


@dataclass
class Explorer:
    """Runs plans over a few workers and the test database."""

    world: World = field(default_factory=World)
    workers: list[Worker] = field(default_factory=lambda: [Worker(n) for n in range(3)])
    runs: int = 0
    _planted: int = 0

    def explore(self, scenario: Scenario, *, runs: int) -> None:
        """Every plan with one deviation, in an order of chance, and then ``runs`` with several.
        Raises :class:`Broken` at the first that breaks the promise."""
        self.run(scenario, Plan())  # from here on the account's schema is known
        first = self.run(scenario, Plan())
        single = [
            {place: option}
            for place, width in enumerate(first.widths)
            for option in range(1, width)
        ]
        chance = random.Random(20261123)
        chance.shuffle(single)
        for chosen in single:
            self.run(scenario, Plan(dict(chosen)))
        places = range(len(first.widths) * 2)
        for _ in range(runs):
            several = chance.sample(places, chance.randint(2, 5))
            self.run(scenario, Plan({place: chance.randint(1, 6) for place in several}))

    def run(self, scenario: Scenario, plan: Plan) -> Plan:
        """One run; raises :class:`Broken` with everything that was decided."""
        self.runs += 1
        self.world.reset()
        with override_settings(**scenario.settings), running(self.world):
            jobs = scenario.prepare(self.world)
            self._planted = len(self.world.sandbox.account.leads)
            try:
                self._rounds(jobs, plan)
                self._judge(scenario, submissions_of(jobs))
                if wrong := scenario.check(self.world):
                    raise Broken(wrong)
            except Broken as broken:
                told = "\n  ".join(plan.told)
                raise Broken(f"{scenario.name}: {broken}\nplan {plan.chosen}\n  {told}") from None
            finally:
                self._stop()
        return plan

    def _rounds(self, jobs: Sequence[Job], plan: Plan) -> None:
        at_work: dict[int, Job] = {}
        for _ in range(MOST_ROUNDS):
            waiting = [one for one in jobs if not one.is_done and one not in at_work.values()]
            if not waiting and not at_work:
                return
            # Who slept wakes up last: that others overtook it is what makes it late.
            self.workers.sort(key=lambda worker: worker.sleeps)
            for worker in self.workers:
                worker.sleeps = False
                if worker.number not in at_work and waiting:
                    at_work[worker.number] = waiting.pop(0)
                    worker.begin(at_work[worker.number].work)
            self._round(at_work, plan)
            self.world.pass_settle()
        raise Broken(f"not done after {MOST_ROUNDS} rounds: {_left(jobs)}")

    def _round(self, at_work: dict[int, Job], plan: Plan) -> None:
        """Until everybody has ended or sleeps."""
        now: Worker | None = None
        while awake := [w for w in self.workers if w.number in at_work and not w.sleeps]:
            if now not in awake:
                now = awake[0]
            assert now is not None
            choice = plan.decide(self._options(now, awake))
            now = self._do(choice, now)
            for worker in self.workers:
                if worker.number in at_work and isinstance(worker.state, Ended):
                    _check_end(worker.state)
                    del at_work[worker.number]

    def _options(self, now: Worker, awake: list[Worker]) -> list[str]:
        assert isinstance(now.state, Parked)
        here = f"{now.number}: {now.state.label}"
        options = [f"go {here}"]
        options += [f"switch to {other.number} from {here}" for other in awake if other is not now]
        options.append(f"crash {here}")
        options += [f"{failure} {here}" for failure in now.state.failures]
        options.append(f"sleep {here}")
        if self.world.is_index_behind:
            options.append(f"index, then {here}")
        if self.world.late:
            options.append(f"arrive, then {here}")
        return options

    def _do(self, choice: str, now: Worker) -> Worker:
        verb = choice.split()[0]
        if verb == "switch":
            number = int(choice.split()[2])
            now = next(worker for worker in self.workers if worker.number == number)
            now.go()
        elif verb == "sleep":
            now.sleeps = True
        elif verb == "index,":
            self.world.catch_up_index()
            now.go()
        elif verb == "arrive,":
            self.world.apply_late()
            now.go()
        else:
            now.go(verb)
        return now

    def _stop(self) -> None:
        for worker in self.workers:
            while worker.is_busy:
                worker.go("crash")
        self.workers.sort(key=lambda worker: worker.number)

    def _judge(self, scenario: Scenario, submissions: list[Submission]) -> None:
        account = self.world.sandbox.account
        active = [
            lead
            for lead in account.leads.values()
            if not lead.is_deleted and lead.status_id not in (142, 143)
        ]
        shown = _shown_to_operators() if scenario.may_be_shown else 0
        if len(active) - shown > scenario.people:
            raise Broken(f"{len(active)} active leads, {shown} of them shown to operators")
        if models.DuplicateLead.objects.filter(origin=models.DuplicateLead.Origin.MERGED).exists():
            raise Broken("two people with a lead have become one, and no operator said so")
        made = len(account.leads) - self._planted
        if scenario.most_made is not None and made > scenario.most_made:
            raise Broken(f"{made} leads were made, not {scenario.most_made}")
        if len(active) < 1:
            raise Broken("no active lead")
        said = sum(one.progress.action == "created" for one in submissions)
        if said > made:
            raise Broken(f"{said} submissions say that they created one of {made} leads")
        if models.Person.objects.filter(creating_since__isnull=False).exists():
            raise Broken("a claim stands for ever")
        if models.AccountState.objects.exists():
            raise Broken("the account was paused or told to slow down")
        texts = Counter(
            text.rsplit("\n", 1)[-1]
            for text in (str(note.params.get("text", "")) for note in account.notes.values())
            if "[заявка" in text
        )
        if doubled := [marker for marker, times in texts.items() if times > 1]:
            raise Broken(f"notes doubled: {doubled}")
        noted = "\n".join(
            str(note.params.get("text", ""))
            for note in account.notes.values()
            if any(note.entity_id == lead.id for lead in active)
        )
        for one in submissions:
            if f"{one.request.reference} · 1" not in noted:
                raise Broken(f"no active lead has the note of {one.request.reference}")


def _shown_to_operators() -> int:
    """Leads beside the one that everybody should have: duplicates, and those of people who may be
    the same person."""
    duplicates = models.DuplicateLead.objects.filter(state=models.DuplicateLead.State.ACTIVE)
    proposals = models.MergeProposal.objects.exclude(state=models.MergeProposal.State.CONFIRMED)
    return duplicates.count() + proposals.count()


def _check_end(end: Ended) -> None:
    if end.error is not None and not isinstance(end.error, AmoError | Crash):
        raise end.error


def _left(jobs: Sequence[Job]) -> list[str]:
    return [str(one) for one in jobs if not one.is_done]
