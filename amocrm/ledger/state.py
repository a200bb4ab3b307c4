"""A person as read at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from amocrm.counters import Event, count
from amocrm.errors import PersonChanged
from amocrm.identity import IdentityKey, Kind
from amocrm.log_context import get_logger
from amocrm.models import Identity, Person

logger = get_logger(__name__)


@dataclass(frozen=True)
class PersonState:
    """``version`` is what was read before looking: every write is conditional on it.

    ``on_contact`` are those of ``identities`` that need not be looked for any more: a contact of
    theirs carries them, and other leads of whoever does are shown.
    """

    id: int
    account: str
    lock_name: str
    version: int
    lead_id: int | None
    lead_recorded_at: datetime | None
    creating_since: datetime | None
    creating_ref: str
    next_look_at: datetime | None
    identities: frozenset[IdentityKey]
    on_contact: frozenset[IdentityKey]

    @property
    def contacts(self) -> frozenset[int]:
        """The amoCRM contacts that are known to be this person."""
        return frozenset(int(key.value) for key in self.identities if key.kind == "contact")

    @property
    def searchable(self) -> frozenset[IdentityKey]:
        """The e-mails and phones: what the CRM can be asked for."""
        return frozenset(key for key in self.identities if key.kind != "contact")


def read(person_id: int) -> PersonState:
    """The person now. For one who was merged into another: the one who survived."""
    person = Person.objects.get(id=person_id)
    while person.merged_into_id is not None:
        person = Person.objects.get(id=person.merged_into_id)
    return state_of(person)


def version_of(person_id: int) -> int:
    """The person's version now: what a checkpoint compares."""
    return Person.objects.values_list("version", flat=True).get(id=person_id)


def with_lead(account: str, lead_id: int) -> PersonState | None:
    """Whose lead this is."""
    person = Person.objects.filter(account=account, merged_into=None, lead_id=lead_id).first()
    return state_of(person) if person else None


def is_recorded(account: str, lead_id: int) -> bool:
    """Whether this lead is somebody's already."""
    return Person.objects.filter(account=account, lead_id=lead_id).exists()


def state_of(person: Person) -> PersonState:
    """The state of a row that was just read or is locked by this transaction."""
    rows = Identity.objects.filter(person=person, is_ignored=False).values_list(
        "kind", "value", "on_contact"
    )
    seen = {IdentityKey(cast(Kind, kind), value): on_contact for kind, value, on_contact in rows}
    return PersonState(
        id=person.pk,
        account=person.account,
        lock_name=person.lock_name,
        version=person.version,
        lead_id=person.lead_id,
        lead_recorded_at=person.lead_recorded_at,
        creating_since=person.creating_since,
        creating_ref=person.creating_ref,
        next_look_at=person.next_look_at,
        identities=frozenset(seen),
        on_contact=frozenset(key for key, on_contact in seen.items() if on_contact),
    )


def person_changed(lock_name: str, why: str) -> PersonChanged:
    """Log, count and build the error of everybody who came too late."""
    logger.info("↩️ [DEDUP] Person changed meanwhile: %s (%s)", lock_name, why)
    count(Event.PERSON_CHANGED)
    return PersonChanged(f"the person changed meanwhile: {why}", lock_name=lock_name)
