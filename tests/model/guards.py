"""Every guard of the protocol, and how to take it out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db.models import F

from amocrm import conf, ledger, mirror
from amocrm.api import bulk
from amocrm.api.client import Client
from amocrm.errors import InBadCompany, OutcomeUnknown
from amocrm.ledger import (
    PersonState,
    claims,
    duplicates,
    proposals,
    resolution,
    rows,
    whole_refusals,
)
from amocrm.models import MirrorState, Person
from amocrm.upsert import create, lookup, notes, protocol, reconcile, superseded, together
from tests.model import scenarios
from tests.model.explore import Scenario

Script = tuple[tuple[str, str], ...]

CREATE = "POST /api/v4/leads/complex"
# The first worker falls asleep between its claim and its POST, for longer than SETTLE_SECONDS;
# the second one takes over and makes the lead; then the first one wakes up and sends.
LATE_SENDER: Script = ((f"0: {CREATE}", "sleep"),)


@dataclass(frozen=True)
class Guard:
    """`without` is a context in which the guard is missing; `scenario` is where it matters.

    `script` is the run that needs it, where no short search comes upon one.
    """

    name: str
    without: Callable[[], AbstractContextManager[Any]]
    scenario: Scenario = scenarios.TWINS
    script: Script = ()


def _unconditional_write(person: PersonState, verb: str, **fields: Any) -> PersonState:
    Person.objects.filter(id=person.id).update(version=F("version") + 1, **fields)
    return replace(person, version=ledger.version_of(person.id), **fields)


def _only(verb: str) -> Callable[[], AbstractContextManager[Any]]:
    """The one write `verb` without its condition, the others with it."""
    real = claims._write

    def write(person: PersonState, by: str, **fields: Any) -> PersonState:
        wanted = _unconditional_write if by == verb else real
        return wanted(person, by, **fields)

    return lambda: mock.patch.object(claims, "_write", write)


def _no_settling() -> AbstractContextManager[Any]:
    real = conf.current
    hasty = replace(real(), settle=timedelta(0))
    return mock.patch.object(conf, "current", return_value=hasty)


def _release_in_the_dark() -> AbstractContextManager[Any]:
    real = create._send

    def send(context: Any, body: Any) -> Any:
        try:
            return real(context, body)
        except OutcomeUnknown:
            create._release_ours(context)
            raise

    return mock.patch.object(create, "_send", send)


def _repeat_posts() -> AbstractContextManager[Any]:
    real = Client.create_lead

    def twice(self: Client, body: Any, *, just_before: Any) -> Any:
        try:
            return real(self, body, just_before=just_before)
        except OutcomeUnknown:
            return real(self, body, just_before=lambda: None)

    return mock.patch.object(Client, "create_lead", twice)


def _name_one_identity() -> AbstractContextManager[Any]:
    real = ledger.resolve
    return mock.patch.object(
        ledger, "resolve", lambda account, named: real(account, sorted(named)[:1])
    )


def _grow_silently() -> AbstractContextManager[Any]:
    """New identities do not raise the version."""
    real = rows.change

    def change(person: Person, **fields: Any) -> None:
        if fields:
            real(person, **fields)

    return mock.patch.object(resolution, "change", change)


def _forget_that_a_note_was_sent() -> AbstractContextManager[Any]:
    real = notes.write_note

    def write(context: Any, lead_id: int) -> None:
        context.progress.note_sent_at = None
        real(context, lead_id)

    return mock.patch.object(protocol, "write_note", write)


def _recreate_over_a_claim() -> AbstractContextManager[Any]:
    """No step 3, and a claim may be made over another one."""
    stack = ExitStack()
    stack.enter_context(mock.patch.object(protocol, "reconcile", return_value=None))
    real = ledger.claim
    stack.enter_context(
        mock.patch.object(
            ledger,
            "claim",
            lambda person, ref: real(replace(person, creating_since=None), ref),
        )
    )
    return stack


def _record_over_others() -> AbstractContextManager[Any]:
    return mock.patch.object(create, "_is_superseded", return_value=False)


def _only_what_is_recorded_overtakes() -> AbstractContextManager[Any]:
    def is_superseded(person: PersonState, ours: PersonState) -> bool:
        return not ledger.is_claim_of(person, ours) and person.lead_id != ours.lead_id

    return mock.patch.object(create, "_is_superseded", is_superseded)


def _any_joins(context: Any, found: Any, unknown: Any) -> Any:
    return next(iter(unknown), None)


def _nobody_drops_out() -> AbstractContextManager[Any]:
    """Whoever fails to claim is sent all the same."""

    def call(self: Any, hook_of: Any) -> None:
        for member in self.live:
            member.call_hook(hook_of(member.asks))
            member.answer = None

    return mock.patch.object(together._Group, "_call", call)


def _by_place() -> AbstractContextManager[Any]:
    def place(self: Any, call: Any, rows: Any) -> int:
        calls.append(call)
        return (len(calls) - 1) % len(rows)

    calls: list[Any] = []
    return mock.patch.object(bulk._LeadsMade, "_place", place)


def _caught_up_once() -> AbstractContextManager[Any]:
    """The mirror is read before the first batch, which is thought to be enough for all."""
    real = mirror.catch_up
    done: dict[int, bool] = {}

    def catch_up(crm: Any, settings: Any) -> bool:
        run = MirrorState.objects.get().pk
        if run not in done:
            done[run] = real(crm, settings)
        return done[run]

    return mock.patch.object(mirror, "catch_up", catch_up)


GUARDS = (
    Guard("a claim is conditional on the version", _only("claim")),
    Guard(
        "a release is conditional on the version",
        _only("release"),
        script=(
            (f"0: {CREATE}", "drop"),
            ("0: release", "switch to 1"),
            (f"1: {CREATE}", "late"),
        ),
    ),
    Guard("a record is conditional on the version", _only("record"), script=LATE_SENDER),
    Guard("a standing claim is reconciled before anything is created", _recreate_over_a_claim),
    Guard("an unknown outcome keeps its claim", _release_in_the_dark),
    Guard("a claim is released only after SETTLE_SECONDS", _no_settling),
    Guard(
        "an older lead does not end a claim",
        lambda: mock.patch.object(reconcile, "_may_be_the_claimed_one", return_value=True),
        scenarios.KNOWN_BY_PHONE,
        script=((f"0: {CREATE}", "late"),),
    ),
    Guard("a POST is never repeated", _repeat_posts),
    Guard("who comes too late closes its own lead", _record_over_others, script=LATE_SENDER),
    Guard(
        "a lead that somebody else may have on its way counts as made",
        _only_what_is_recorded_overtakes,
        script=(*LATE_SENDER, (f"1: {CREATE}", "late")),
    ),
    Guard(
        "what is being closed is adopted by nobody",
        lambda: mock.patch.object(duplicates, "superseded", return_value=[]),
        scenarios.TRIPLETS,
        script=(
            *LATE_SENDER,
            (f"1: {CREATE}", "drop"),
            ("2: begin", "switch to 0"),
            ("0: PATCH /api/v4/leads/", "switch to 2"),
        ),
    ),
    Guard(
        "what a dead process left to close is closed",
        lambda: mock.patch.object(superseded, "resume_superseded", return_value=None),
        script=(*LATE_SENDER, ("0: PATCH /api/v4/leads/", "crash")),
    ),
    Guard(
        "the recorded lead is known without searching",
        lambda: mock.patch.object(protocol, "_keep_recorded_lead", return_value=None),
    ),
    Guard(
        "reconciling looks through the newest contacts",
        lambda: mock.patch.object(lookup, "link_newest_contacts", return_value=[]),
    ),
    Guard(
        "every identity is named before the search",
        _name_one_identity,
        scenarios.GROWING,
    ),
    Guard(
        "a new identity raises the version",
        _grow_silently,
        replace(scenarios.KNOWN_BY_PHONE, most_made=0),
        script=(("0: claim", "switch to 1"), ("1: read", "switch to 0")),
    ),
    Guard(
        "nobody is merged over a standing claim",
        lambda: mock.patch.object(resolution, "standing_claim", return_value=None),
        scenarios.NAMED_APART,
    ),
    Guard(
        "the ledger learns what a contact carries",
        lambda: mock.patch.object(lookup, "link_contact", return_value=None),
        replace(scenarios.CARRIED, most_made=1),
        script=(("0: claim", "switch to 1"),),
    ),
    Guard(
        "established people do not become one by themselves",
        lambda: mock.patch.object(resolution, "_is_established", return_value=False),
        scenarios.NAMED_APART,
    ),
    Guard(
        "a contact that shares nothing with theirs is another person",
        lambda: mock.patch.object(lookup, "_joins", _any_joins),
        scenarios.TWO_CUSTOMERS,
    ),
    Guard(
        "the lead of who may be the same is taken before one is made",
        lambda: mock.patch.object(protocol, "_look_at_partners", return_value=None),
        scenarios.TWO_CUSTOMERS,
    ),
    Guard(
        "nobody gathers more than the limit",
        lambda: mock.patch.object(resolution, "_within", lambda limit, person, new: new),
        scenarios.CROWDED,
    ),
    Guard(
        "who was parted stays apart",
        lambda: mock.patch.object(proposals, "apart", return_value={}),
        scenarios.PARTED,
    ),
    Guard("of a batch, too, a claim is conditional", _only("claim"), scenarios.TOGETHER),
    Guard("who fails to claim drops out of the batch", _nobody_drops_out, scenarios.TOGETHER),
    Guard("answers are told apart by request_id", _by_place, scenarios.TOGETHER),
    Guard(
        "what an answer to a batch leaves out is unknown",
        lambda: mock.patch.object(together, "OutcomeUnknown", InBadCompany),
        scenarios.TOGETHER,
    ),
    Guard(
        "what a refusal of a batch does not name is unknown",
        lambda: mock.patch.object(whole_refusals, "are_whole", return_value=True),
        scenarios.TOGETHER,
    ),
    Guard(
        "a batch that is reconciled looks through the newest contacts",
        lambda: mock.patch.object(lookup, "link_newest_contacts", return_value=[]),
        scenarios.TWO_BATCHES,
    ),
    Guard("the mirror is caught up for each batch", _caught_up_once, scenarios.KNOWN_SINCE_THEN),
    Guard(
        "a miss of the mirror is compared with the search",
        lambda: mock.patch.object(mirror, "compare", return_value=None),
        scenarios.LIED_TO,
        script=(("0: begin", "go"),),
    ),
    Guard("a note is looked up before it is posted again", _forget_that_a_note_was_sent),
)
