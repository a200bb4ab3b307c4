"""What became of it: the sandbox's account and the database, against what was sent."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.population import Plan, canonical
from tests.chaos.stack import Stack

_MARKER = re.compile(r"\[заявка ([0-9a-f-]{36}) · (\w+)\]")


@dataclass
class Verdict:
    """The counts of the table; ``findings`` says in words what is wrong."""

    submissions: int = 0
    people: int = 0
    leads: int = 0
    duplicates: int = 0
    lost: int = 0
    notes_doubled: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Nothing to find fault with."""
        return not (self.duplicates or self.lost or self.notes_doubled or self.findings)


def judge(stack: Stack, plan: Plan, accepted: Mapping[int, str], before: dict[str, Any]) -> Verdict:
    """``accepted``: number of a form → id of its submission. ``before``: the sandbox's state
    when everybody who was there had been planted."""
    state = stack.control.state()
    verdict = Verdict(submissions=len(accepted), people=len(plan.people))
    people_of_lead, active = _leads(verdict, plan, state)
    _exactly_one_each(verdict, plan, active)
    _every_submission_on_its_lead(verdict, stack, plan, accepted, state, people_of_lead, active)
    _strangers_untouched(verdict, plan, before, state)
    _nothing_left_over(verdict, stack, state)
    return verdict


def _leads(
    verdict: Verdict, plan: Plan, state: dict[str, Any]
) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Lead → person, and person → active leads, by what their contacts carry."""
    strangers = {state["contacts"][place]["id"] for place in plan.strangers}
    contacts = {one["id"]: one for one in state["contacts"]}
    people: dict[int, int] = {}
    active: dict[int, list[int]] = defaultdict(list)
    for lead in state["leads"]:
        if strangers.intersection(lead["contact_ids"]):
            continue
        owners = {
            plan.owner.get(canonical(value))
            for contact_id in lead["contact_ids"]
            for value in (*contacts[contact_id]["emails"], *contacts[contact_id]["phones"])
        }
        if len(owners) != 1 or None in owners:
            verdict.findings.append(f"lead {lead['id']} belongs to {owners}")
            continue
        person = people[lead["id"]] = int(owners.pop() or 0)
        verdict.leads += 1
        if lead["is_active"]:
            active[person].append(lead["id"])
    return people, active


def _exactly_one_each(verdict: Verdict, plan: Plan, active: Mapping[int, list[int]]) -> None:
    for person in sorted(plan.people):
        leads = active.get(person, [])
        if len(leads) > 1:
            verdict.duplicates += len(leads) - 1
            verdict.findings.append(f"person {person} has several active leads: {leads}")
        if not leads:
            verdict.findings.append(f"person {person} has no active lead")


def _every_submission_on_its_lead(
    verdict: Verdict,
    stack: Stack,
    plan: Plan,
    accepted: Mapping[int, str],
    state: dict[str, Any],
    people_of_lead: Mapping[int, int],
    active: Mapping[int, list[int]],
) -> None:
    notes: Counter[tuple[str, str]] = Counter()
    noted_on: dict[str, set[int]] = defaultdict(set)
    for note in state["notes"]:
        for reference, part in _MARKER.findall(note["text"]):
            notes[reference, part] += 1
            noted_on[reference].add(note["entity_id"])
    for (reference, part), times in notes.items():
        if times > 1:
            verdict.notes_doubled += times - 1
            verdict.findings.append(f"submission {reference}: {times} notes of part {part}")
    rows = stack.rows.submissions()
    for form in plan.forms:
        reference = accepted.get(form.number, "")
        status, lead_id, _ = rows.get(reference, ("missing", None, ""))
        on_its_lead = lead_id in active.get(form.person, []) and lead_id in noted_on[reference]
        if status != "delivered" or not notes[reference, "1"] or not on_its_lead:
            verdict.lost += 1
            verdict.findings.append(
                f"form {form.number} of person {form.person}, submission {reference}: {status},"
                f" lead {lead_id}, noted on {sorted(noted_on[reference])}"
            )
    if len(rows) != len(accepted):
        verdict.findings.append(f"{len(rows)} submissions for {len(accepted)} forms")


def _strangers_untouched(
    verdict: Verdict, plan: Plan, before: dict[str, Any], state: dict[str, Any]
) -> None:
    for place in sorted(plan.strangers):
        was, now = before["contacts"][place], state["contacts"][place]
        if was != now:
            verdict.findings.append(f"stranger {was['id']} was changed: {was} → {now}")
    ids = {before["contacts"][place]["id"] for place in plan.strangers}
    theirs = {lead["id"]: lead for lead in before["leads"] if ids & set(lead["contact_ids"])}
    for lead in state["leads"]:
        if lead["id"] in theirs and theirs[lead["id"]] != lead:
            verdict.findings.append(f"a stranger's lead {lead['id']} was changed")
    noted = theirs.keys() & {note["entity_id"] for note in state["notes"]}
    if noted:
        verdict.findings.append(f"strangers' leads have notes of ours: {sorted(noted)}")


def _nothing_left_over(verdict: Verdict, stack: Stack, state: dict[str, Any]) -> None:
    if creating := stack.rows.creating():
        verdict.findings.append(f"{creating} people have a lead on its way for ever")
    if locks := stack.locks():
        verdict.findings.append(f"locks are left: {locks[:5]}")
    if state["late_writes"]:
        verdict.findings.append(f"{state['late_writes']} late writes have not arrived")
    for times, error in stack.rows.crashes():
        verdict.findings.append(f"{times} tries ended with an unexpected error: {error}")
    for person, lead, origin, what in stack.rows.shown_duplicates():
        if what != "closed":
            verdict.findings.append(f"person {person} is shown lead {lead}: {origin}, {what}")
