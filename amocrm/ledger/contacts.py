"""The contacts of the CRM in the ledger: whose each is, and what it carries."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from django.db import IntegrityError, transaction

from amocrm.counters import Event, count
from amocrm.errors import PersonChanged
from amocrm.identity import IdentityKey
from amocrm.ledger import ignored, proposals
from amocrm.ledger.resolution import Resolution, resolve_rows
from amocrm.ledger.rows import ChangedMeanwhile, change, enter, locked, move, owners
from amocrm.ledger.state import PersonState, person_changed, state_of
from amocrm.locks.names import lock_name
from amocrm.log_context import get_logger
from amocrm.models import Identity, Person

logger = get_logger(__name__)


def contact_key(contact_id: int) -> IdentityKey:
    """The identity that a contact of the CRM is."""
    return IdentityKey("contact", str(contact_id))


def link(person: PersonState, contact_id: int, carried: Iterable[IdentityKey] = ()) -> PersonState:
    """Enter a contact of ``person`` and what it carries; answer the person with it.

    It stays somebody else's where the ledger has it for another established person, which is
    proposed to operators: the answer is without it then.

    Raises :class:`~amocrm.errors.PersonChanged` when the person has changed since it was read, or
    has just been merged with another one (everything must be looked up again), and
    :class:`CreationPending` when it must but cannot yet.
    """
    contact = contact_key(contact_id)
    new = {contact, *carried} - person.identities
    if not new:
        return person
    try:
        with transaction.atomic():
            resolution = Resolution(person)
            if contact in new:
                # First: what somebody else's contact carries is nothing to this person.
                locked(owners(person.account, new | person.identities).values())
                resolution = _with(resolution, {contact})
            if contact in resolution.state.identities and not resolution.pending:
                resolution = _with(resolution, new)
    except (IntegrityError, ChangedMeanwhile) as error:
        raise person_changed(person.lock_name, "somebody else was entering identities") from error
    state = resolution.conclude()
    if resolution.merged:
        raise PersonChanged("two people turned out to be one", lock_name=state.lock_name)
    return state


def _with(before: Resolution, keys: Collection[IdentityKey]) -> Resolution:
    """The person of ``before`` with these, too."""
    person = before.state
    if person.identities.issuperset(keys):
        return before
    everything = sorted(person.identities.union(keys))
    return before.then(resolve_rows(person.account, everything, expected=person))


def set_apart(
    person: PersonState,
    contact_id: int,
    carried: Collection[IdentityKey],
    *,
    kept: Collection[IdentityKey],
) -> None:
    """A contact of the CRM is another person, though ``person`` has been named by what it carries.

    What is not among ``kept``, which the person's own contacts carry, goes to that other person;
    that the two may be one is proposed to operators. Raises
    :class:`~amocrm.errors.PersonChanged` when somebody changed meanwhile.
    """
    contact, keys = contact_key(contact_id), ignored.identifying(person.account, carried)
    try:
        with transaction.atomic():
            known = owners(person.account, {contact, *keys})
            people = {one.pk: one for one in locked({person.id, *known.values()})}
            mine = people[person.id]
            if mine.version != person.version or owners(person.account, {contact, *keys}) != known:
                raise ChangedMeanwhile
            theirs = people.get(known.get(contact, 0)) or Person.objects.create(
                account=person.account, lock_name=lock_name(keys)
            )
            moved = [key for key in keys if known.get(key) == mine.pk and key not in kept]
            move(moved, giver=mine, taker=theirs)
            enter(theirs, [key for key in {contact, *keys} if key not in known])
            change(mine)
            change(theirs)
            is_new = proposals.propose(mine, theirs)
    except (IntegrityError, ChangedMeanwhile) as error:
        raise person_changed(person.lock_name, "could not set a contact apart") from error
    logger.info("🪞 [DEDUP] Contact %s is another person: %s", contact_id, theirs.lock_name)
    if is_new:
        count(Event.MERGE_PROPOSED)


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
            change(row)
            Identity.objects.filter(
                account=person.account, kind="contact", value=str(contact_id), person=row
            ).delete()
            Identity.objects.filter(person=row).exclude(kind="contact").update(on_contact=False)
            row.refresh_from_db()
            state = state_of(row)
    except ChangedMeanwhile as error:
        raise person_changed(person.lock_name, "could not forget a contact") from error
    logger.info("🧹 [DEDUP] Contact %s is gone from the CRM: forgotten", contact_id)
    return state
