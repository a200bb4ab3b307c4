"""Single people with single faults, on a running stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.chaos.judge import Verdict, judge
from tests.chaos.landing import Landing
from tests.chaos.population import PROFTEST, Form, Plan
from tests.chaos.stack import Stack

IMPATIENT = timedelta(seconds=1.5)
STRANGERS = 40  # the first so many people have somebody whom their searches find


@dataclass(frozen=True)
class Fate:
    """What became of one person with one submission."""

    status: str
    action: str
    active_leads: int
    notes: int

    @classmethod
    def good(cls, action: str = "created") -> Fate:
        """One lead, one note, delivered."""
        return cls("delivered", action, 1, 1)


class Scenario:
    """Invents people, sends their forms and waits for them, as an operator who is in a hurry."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.landing = Landing(stack.web_url)
        self._plan = Plan()
        for person in range(STRANGERS):
            self._plan.strangers.add(person)
            self._plan.contacts.append(
                {
                    "name": "Посторонний",
                    "emails": [f"p{person:05d}a@elsewhere.example"],
                    "phones": [f"8 747 {person:07d}"],
                }
            )
            self._plan.leads.append({"name": "Чужая сделка", "contact": person})
        stack.control.seed(contacts=self._plan.contacts, leads=self._plan.leads)
        self._before = stack.control.state()

    def somebody(self, *, is_known: bool = False) -> Form:
        """A new person's form. ``is_known``: with an active lead from before."""
        person = max(self._plan.people, default=-1) + 1
        email, phone = f"p{person:05d}a@mail.example", f"+7701{person:07d}"
        self._plan.owner |= {email: person, phone[2:]: person}
        if is_known:
            self.stack.control.seed(
                contacts=[{"name": "Давний клиент", "emails": [email], "phones": [phone]}],
                leads=[{"name": "Давняя сделка", "contact": 0}],
            )
        return self._form(person, email, phone)

    def again(self, form: Form) -> Form:
        """Another form of the same person, typed in another way."""
        phone = str(form.body["phone"])
        return self._form(form.person, str(form.body["email"]).upper(), f"8{phone[2:]}")

    def _form(self, person: int, email: str, phone: str) -> Form:
        number = len(self._plan.forms)
        body: dict[str, Any] = {
            "name": f"Кто-то s{number:05d}",
            "email": email,
            "phone": phone,
            # In every call that changes a lead, too: its UTM fields are empty.
            "utmParams": {"utm_campaign": f"s{number:05d}"},
        }
        form = Form(number, person, 0, PROFTEST, body)
        self._plan.forms.append(form)
        return form

    def send(self, forms: Iterable[Form]) -> None:
        """Send these, and wait until all are accepted."""
        wanted = list(forms)
        self.landing.send(wanted)
        self.wait_until(
            lambda: all(form.number in self.landing.accepted for form in wanted), "accepted"
        )

    def delivered(self, *, within: float = 120) -> None:
        """Wait until everything that was sent is delivered."""
        self.wait_until(lambda: not self.stack.rows.pending(), "delivered", seconds=within)

    def wait_until(self, is_so: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
        """Wait, pulling forward what the retry schedule would let wait for hours."""
        give_up = time.monotonic() + seconds
        while not is_so():
            if self.landing.errors:
                raise self.landing.errors[0]
            if time.monotonic() > give_up:
                self.stack.keep_folder = True
                raise TimeoutError(
                    f"not {what} within {seconds:g} s: {self.stack.rows.why_pending()};"
                    f" logs in {self.stack.folder}"
                )
            self.stack.rows.hurry(IMPATIENT)
            self.stack.rows.probe_now()
            time.sleep(0.1)

    def fate(self, form: Form) -> Fate:
        """What became of a person who sent this one form."""
        reference = self.landing.accepted[form.number]
        status, _, action = self.stack.rows.submissions()[reference]
        state = self.stack.control.state()
        mine = {
            contact["id"]
            for contact in state["contacts"]
            if form.body["email"] in contact["emails"]
        }
        return Fate(
            status=status,
            action=action,
            active_leads=sum(
                lead["is_active"] and bool(mine & set(lead["contact_ids"]))
                for lead in state["leads"]
            ),
            notes=sum(reference in note["text"] for note in state["notes"]),
        )

    def verdict(self) -> Verdict:
        """Everybody together. Locks may still be running out."""
        patience = self.stack.scale.lock_ttl + 2
        self.wait_until(lambda: not self.stack.locks(), "without locks", seconds=patience)
        return judge(self.stack, self._plan, self.landing.accepted, self._before)


def freeze(folder: Path, name: str, when: str, call: str) -> dict[str, str]:
    """A place for :mod:`tests.chaos.rigged` where a worker's thread stops."""
    return {"mark": str(folder / f"frozen-{name}"), "when": when, "call": call}
