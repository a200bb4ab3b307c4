"""Who is one person: entering identities, and merging people who were named together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db import IntegrityError, transaction

from amocrm import conf
from amocrm.counters import Event, count
from amocrm.identity import IdentityKey
from amocrm.ledger import duplicates, ignored, proposals
from amocrm.ledger.rows import ChangedMeanwhile, change, enter, locked, owners
from amocrm.ledger.state import PersonState, person_changed, state_of
from amocrm.locks.names import lock_name
from amocrm.log_context import get_logger
from amocrm.models import Identity, Person

logger = get_logger(__name__)

# How often a naming starts over when others name the same people in the same instant.
RESOLVE_ATTEMPTS = 10


class CreationPending(Exception):
    """Two people cannot be merged yet: ``person_id`` may have a lead on its way, and must be
    reconciled first."""

    def __init__(self, person_id: int) -> None:
        super().__init__(f"person {person_id} may have a lead on its way")
        self.person_id = person_id


def resolve(account: str, named: Iterable[IdentityKey]) -> PersonState:
    """Enter every identity in ``named`` and make them one person, as far as that may be.

    Of several established people (see :mod:`amocrm.ledger.proposals`) it is the one who has the
    e-mail: an e-mail is less often shared than a phone. The others are proposed to operators.
    Nobody gathers more than ``PERSON_MAX_IDENTITIES`` of a kind: what is beyond is not entered.

    Raises :class:`CreationPending` when several are to become one of whom one may have a lead
    on its way; what was new in ``named`` is in the ledger by then. Raises
    :class:`~amocrm.errors.PersonChanged` when others keep naming the same people.
    """
    keys = sorted(named)
    if not keys:
        raise ValueError("nobody is named")
    limit = conf.current().person_max_identities
    for _ in range(RESOLVE_ATTEMPTS):
        try:
            with transaction.atomic():
                resolution = resolve_rows(account, keys, limit=limit)
        except (IntegrityError, ChangedMeanwhile):
            continue  # another process named one of them first: read again
        return resolution.conclude()
    raise person_changed(lock_name(keys), "others keep naming the same person")


@dataclass(frozen=True)
class Resolution:
    """What one transaction made of some keys. ``pending``: who must be reconciled first."""

    state: PersonState
    merged: int = 0
    proposed: int = 0
    left_out: tuple[IdentityKey, ...] = ()
    pending: int | None = None

    def then(self, later: Resolution) -> Resolution:
        """Both together, as one transaction."""
        return replace(
            later, merged=self.merged + later.merged, proposed=self.proposed + later.proposed
        )

    def conclude(self) -> PersonState:
        """Once it is committed: count what was done, raise :class:`CreationPending` if a merge
        waits."""
        if self.merged:
            count(Event.MERGED, self.merged)
        if self.proposed:
            count(Event.MERGE_PROPOSED, self.proposed)
        if self.left_out:
            kinds = " ".join(key.kind for key in self.left_out)
            logger.warning("🧺 [DEDUP] Not attached, the person has gathered enough: %s", kinds)
            count(Event.NOT_ATTACHED, len(self.left_out))
        if self.pending is not None:
            raise CreationPending(self.pending)
        return self.state


def resolve_rows(
    account: str,
    keys: list[IdentityKey],
    *,
    expected: PersonState | None = None,
    limit: int | None = None,
) -> Resolution:
    """Make ``keys`` one person inside the caller's transaction.

    Rows are locked in the order of their ids and identities inserted in theirs, so that two
    processes that name the same people in opposite order cannot wait for each other.
    """
    known = owners(account, keys)
    new = sorted(ignored.identifying(account, set(keys) - known.keys()))
    if not (known or new):  # each has stopped identifying a moment ago
        raise ChangedMeanwhile
    people = locked(known.values())
    if owners(account, keys) != known:
        raise ChangedMeanwhile
    if expected and (expected.id, expected.version) not in {(p.pk, p.version) for p in people}:
        raise ChangedMeanwhile

    first = [expected.id] if expected else [known[key] for key in keys if key in known]
    one, others, beyond = _divide(people, first, limit)
    claimed = standing_claim(one) if len(one) > 1 else None
    if claimed:
        person = claimed
    elif one:
        person = merge(one)
    else:
        person = Person.objects.create(account=account, lock_name=lock_name(new))
    proposed = 0 if claimed else sum(proposals.propose(person, other) for other in others)

    entered = new
    if new and people and limit is not None:
        entered = _within(limit, state_of(person), new)
    if entered:
        enter(person, entered)
        if people:
            change(person)
    strangers = {other.pk for other in beyond}
    return Resolution(
        state=state_of(person),
        merged=0 if claimed or not one else len(one) - 1,
        proposed=proposed,
        left_out=tuple(
            key for key in keys if key in new and key not in entered or known.get(key) in strangers
        ),
        pending=claimed.pk if claimed else None,
    )


class _Division(NamedTuple):
    """Of the people who are named together: who is one person, which established ones may be the
    same, and who would be more than a person gathers."""

    one: list[Person]
    others: list[Person]
    beyond: list[Person]


def _divide(people: list[Person], first: list[int], limit: int | None) -> _Division:
    """``first``: ids in the order of what was named; the first established one is the person."""
    if len(people) < 2:
        return _Division(people, [], [])
    gathered = _gathered(people)
    by_id = {person.pk: person for person in people}
    named = [by_id[one] for one in dict.fromkeys(first)]
    established = {p.pk for p in people if _is_established(p, gathered[p.pk])}
    chosen = next((person for person in named if person.pk in established), named[0])
    kept_apart = proposals.apart(people)
    one, others, beyond = [chosen], [], []
    for person in people:
        has_same_lead = person.lead_id is not None and person.lead_id == chosen.lead_id
        between = {kept_apart.get(frozenset((person.pk, p.pk))) for p in one} - {None}
        if (
            person is chosen
            or (between and not has_same_lead)
            or proposals.State.REFUSED in between
        ):
            continue
        together = sum((gathered[p.pk] for p in [*one, person]), Counter[str]())
        is_another = person.pk in established and any(p.pk in established for p in one)
        if is_another and not has_same_lead:
            others.append(person)
        elif limit is not None and max(together["email"], together["phone"]) > limit:
            beyond.append(person)
        else:
            one.append(person)
    return _Division(sorted(one, key=lambda person: person.pk), others, beyond)


def _is_established(person: Person, gathered: Counter[str]) -> bool:
    return person.lead_id is not None or gathered["contact"] > 0


def _gathered(people: list[Person]) -> dict[int, Counter[str]]:
    """How many identities of each kind these people have."""
    found = {person.pk: Counter[str]() for person in people}
    rows = Identity.objects.filter(person__in=people, is_ignored=False)
    for person_id, kind in rows.values_list("person_id", "kind"):
        found[person_id][kind] += 1
    return found


def _within(limit: int, person: PersonState, new: list[IdentityKey]) -> list[IdentityKey]:
    """Those of ``new`` that the person may still gather."""
    gathered = Counter(key.kind for key in person.identities)
    within = []
    for key in new:
        if gathered[key.kind] < limit:
            gathered[key.kind] += 1
            within.append(key)
    return within


def standing_claim(people: list[Person]) -> Person | None:
    """Somebody who must be reconciled before they can be merged with the others."""
    return next((person for person in people if person.creating_since), None)


def merge(people: list[Person]) -> Person:
    """The lower id survives and owns everything; every version rises."""
    survivor, *others = people
    for other in others:
        Identity.objects.filter(person=other).update(person=survivor)
        duplicates.hand_over(other, survivor)
        proposals.hand_over(other, survivor)
        if other.lead_id and not survivor.lead_id:
            change(survivor, lead_id=other.lead_id, lead_recorded_at=other.lead_recorded_at)
        elif other.lead_id and other.lead_id != survivor.lead_id:
            duplicates.add_merged(survivor, other.lead_id)
        change(other, merged_into=survivor)
        change(survivor)
        logger.info(
            "🤝 [DEDUP] Two people are one: %s joins %s", other.lock_name, survivor.lock_name
        )
    return survivor
