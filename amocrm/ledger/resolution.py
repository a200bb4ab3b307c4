"""Who is one person: entering identities, and merging people who were named together."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

from django.db import IntegrityError, transaction
from django.db.models import F

from amocrm.counters import Event, count
from amocrm.errors import PersonChanged
from amocrm.identity import IdentityKey, Kind
from amocrm.ledger import duplicates
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


def contact_key(contact_id: int) -> IdentityKey:
    """The identity that a contact of the CRM is."""
    return IdentityKey("contact", str(contact_id))


def resolve(account: str, named: Iterable[IdentityKey]) -> PersonState:
    """Insert every identity in ``named`` and make them one person.

    Raises :class:`CreationPending` when they belong to several people of whom one may have a lead
    on its way; what was new in ``named`` is in the ledger by then. Raises
    :class:`~amocrm.errors.PersonChanged` when others keep naming the same people.
    """
    keys = sorted(named)
    if not keys:
        raise ValueError("nobody is named")
    for _ in range(RESOLVE_ATTEMPTS):
        try:
            with transaction.atomic():
                resolution = _resolve_rows(account, keys)
        except (IntegrityError, _ChangedMeanwhile):
            continue  # another process named one of them first: read again
        return resolution.conclude()
    raise person_changed(lock_name(keys), "others keep naming the same person")


def link(person: PersonState, found: Iterable[IdentityKey]) -> PersonState:
    """Enter what belongs to ``person`` because a contact of theirs carries it; answer the person
    with it.

    Raises :class:`~amocrm.errors.PersonChanged` when the person has changed since it was read, or
    has just been merged with another one (everything must be looked up again), and
    :class:`CreationPending` when it must but cannot yet.
    """
    new = frozenset(found) - person.identities
    if not new:
        return person
    try:
        with transaction.atomic():
            resolution = _resolve_rows(
                person.account, sorted(new | person.identities), expected=person
            )
    except (IntegrityError, _ChangedMeanwhile) as error:
        raise person_changed(person.lock_name, "somebody else was entering identities") from error
    state = resolution.conclude()
    if resolution.merged:
        raise PersonChanged("two people turned out to be one", lock_name=state.lock_name)
    return state


def mark_on_contact(person: PersonState, carried: frozenset[IdentityKey]) -> PersonState:
    """Remember that a contact of theirs carries these, and that whoever else does was looked at:
    nobody need look again. It changes nothing of who is who: the version stays."""
    if new := (carried & person.identities) - person.on_contact:
        values = [key.value for key in new]
        Identity.objects.filter(person_id=person.id, value__in=values).update(on_contact=True)
    return replace(person, on_contact=person.on_contact | new)


def forget_contact(person: PersonState, contact_id: int) -> PersonState:
    """Drop a contact that the CRM says is gone (204), and with it what it was seen to carry.

    Raises :class:`~amocrm.errors.PersonChanged` when the person has changed since it was read.
    """
    row = Person(id=person.id, version=person.version)
    try:
        with transaction.atomic():
            _change(row)
            Identity.objects.filter(
                account=person.account, kind="contact", value=str(contact_id), person=row
            ).delete()
            Identity.objects.filter(person=row).exclude(kind="contact").update(on_contact=False)
            row.refresh_from_db()
            state = state_of(row)
    except _ChangedMeanwhile as error:
        raise person_changed(person.lock_name, "could not forget a contact") from error
    logger.info("🧹 [DEDUP] Contact %s is gone from the CRM: forgotten", contact_id)
    return state


def forget_account(account: str) -> int:
    """Forget everybody in an account that exists no longer (a sandbox that was restarted);
    how many there were."""
    people = Person.objects.filter(account=account)
    with transaction.atomic():
        Identity.objects.filter(account=account).delete()
        people.update(merged_into=None)
        return people.delete()[1].get("amocrm.Person", 0)


class _ChangedMeanwhile(Exception):
    """The rows changed between looking and locking: nothing of this transaction may stay."""


@dataclass(frozen=True)
class _Resolution:
    """What one transaction made of some keys. ``pending``: who must be reconciled first."""

    state: PersonState
    merged: int
    pending: int | None

    def conclude(self) -> PersonState:
        """Once it is committed: count the merges, raise :class:`CreationPending` if one waits."""
        if self.merged:
            count(Event.MERGED, self.merged)
        if self.pending is not None:
            raise CreationPending(self.pending)
        return self.state


def _resolve_rows(
    account: str, keys: list[IdentityKey], *, expected: PersonState | None = None
) -> _Resolution:
    """Make ``keys`` one person inside the caller's transaction.

    Rows are locked in the order of their ids and identities inserted in theirs, so that two
    processes that name the same people in opposite order cannot wait for each other.
    """
    known = owners(account, keys)
    # FOR NO KEY UPDATE, so that inserting a foreign key to the row waits for nobody.
    people = list(
        Person.objects.select_for_update(no_key=True)
        .filter(id__in=set(known.values()))
        .order_by("id")
    )
    if owners(account, keys) != known:
        raise _ChangedMeanwhile
    if expected and (expected.id, expected.version) not in {(p.pk, p.version) for p in people}:
        raise _ChangedMeanwhile

    claimed = _standing_claim(people) if len(people) > 1 else None
    if claimed:
        person = claimed
    elif people:
        person = _merge(people)
    else:
        person = Person.objects.create(account=account, lock_name=lock_name(keys))

    new = [key for key in keys if key not in known]
    if new:
        Identity.objects.bulk_create(
            Identity(account=account, kind=key.kind, value=key.value, person=person) for key in new
        )
        if people:
            _change(person)
    return _Resolution(
        state=state_of(person),
        merged=0 if claimed or not people else len(people) - 1,
        pending=claimed.pk if claimed else None,
    )


def _standing_claim(people: list[Person]) -> Person | None:
    """Somebody who must be reconciled before they can be merged with the others."""
    return next((person for person in people if person.creating_since), None)


def owners(account: str, keys: Collection[IdentityKey]) -> dict[IdentityKey, int]:
    """Whose these keys are, by the id of the person; those that nobody has are left out."""
    wanted = frozenset(keys)
    rows = Identity.objects.filter(
        account=account,
        # The index begins with it: without it every look reads all that the account has.
        kind__in={key.kind for key in wanted},
        value__in={key.value for key in wanted},
    )
    return {
        key: person_id
        for kind, value, person_id in rows.values_list("kind", "value", "person_id")
        if (key := IdentityKey(cast(Kind, kind), value)) in wanted
    }


def _merge(people: list[Person]) -> Person:
    """The lower id survives and owns everything; every version rises."""
    survivor, *others = people
    for other in others:
        Identity.objects.filter(person=other).update(person=survivor)
        duplicates.hand_over(other, survivor)
        if other.lead_id and not survivor.lead_id:
            _change(survivor, lead_id=other.lead_id, lead_recorded_at=other.lead_recorded_at)
        elif other.lead_id and other.lead_id != survivor.lead_id:
            duplicates.add_merged(survivor, other.lead_id)
        _change(other, merged_into=survivor)
        _change(survivor)
        logger.info(
            "🤝 [DEDUP] Two people are one: %s joins %s", other.lock_name, survivor.lock_name
        )
    return survivor


def _change(person: Person, **fields: Any) -> None:
    changed = Person.objects.filter(id=person.pk, version=person.version).update(
        version=F("version") + 1, **fields
    )
    if not changed:
        raise _ChangedMeanwhile
    person.version += 1
    for field, value in fields.items():
        setattr(person, field, value)
