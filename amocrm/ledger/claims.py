"""Claim, record, adopt, release, supersede: each one conditional UPDATE with its count checked."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime
from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from amocrm.counters import Event, count
from amocrm.ledger import duplicates
from amocrm.ledger.state import PersonState, person_changed
from amocrm.log_context import get_logger
from amocrm.models import Person

logger = get_logger(__name__)


def claim(person: PersonState, reference: str) -> PersonState:
    """Say that a lead is about to be sent for ``reference``: nobody else can until it is
    recorded, adopted or released.

    Raises :class:`~amocrm.errors.PersonChanged` when the person has changed since it was read,
    or had a claim when it was.
    """
    if person.creating_since:
        raise person_changed(person.lock_name, "a lead may be on its way already")
    ref = f"{reference}/{secrets.token_hex(6)}"
    return _write(
        person, "claim", creating_since=timezone.now(), creating_ref=ref, next_look_at=None
    )


def record(person: PersonState, lead_id: int) -> PersonState:
    """The person's lead is ``lead_id``, which is no duplicate then, and none is on its way.

    Raises :class:`~amocrm.errors.PersonChanged` when the person has changed since it was read.
    """
    return _write(
        person,
        "record",
        lead_id=lead_id,
        lead_recorded_at=timezone.now(),
        creating_since=None,
        creating_ref="",
    )


def adopt(person: PersonState, lead_id: int) -> PersonState:
    """Record a lead that reconciling found in the CRM."""
    adopted = record(person, lead_id)
    logger.info("🧲 [DEDUP] ADOPTED lead: ID %s, made by a try whose end nobody saw", lead_id)
    count(Event.ADOPTED)
    return adopted


def release(person: PersonState) -> PersonState:
    """No lead is on its way after all.

    Raises :class:`~amocrm.errors.PersonChanged` when the person has changed since it was read:
    a claim that somebody else made meanwhile is theirs.
    """
    released = _write(person, "release", creating_since=None, creating_ref="")
    logger.info("🕊 [DEDUP] Claim released: no lead was made")
    count(Event.RELEASED)
    return released


def looked_in_vain(person: PersonState, *, next_look_at: datetime) -> None:
    """Nobody need look for the claimed lead again before then: all who wait for it wait for one
    look. It changes nothing of what is known: the version stays."""
    rows = Person.objects.filter(id=person.id, creating_ref=person.creating_ref)
    rows.update(next_look_at=next_look_at)


def supersede(person: PersonState, lead_id: int) -> PersonState:
    """Say that ``lead_id``, which one of our tries has just made, may have to be closed.

    Whoever looked at the person before cannot adopt it any more, and whoever looks now sees
    it. Raises :class:`~amocrm.errors.PersonChanged` when the person has changed since it was read.
    """
    with transaction.atomic():
        is_changed = _update(person)
        if is_changed:
            duplicates.add_superseded(person.id, lead_id)
    if not is_changed:
        raise person_changed(person.lock_name, "could not supersede")
    return replace(person, version=person.version + 1)


def is_claim_of(person: PersonState, claimed: PersonState) -> bool:
    """Whether the claim that stands on ``person`` is the one made in ``claimed``."""
    return bool(claimed.creating_ref) and person.creating_ref == claimed.creating_ref


class _Fields(TypedDict, total=False):
    lead_id: int
    lead_recorded_at: datetime
    creating_since: datetime | None
    creating_ref: str
    next_look_at: datetime | None


def _write(person: PersonState, verb: str, **fields: Unpack[_Fields]) -> PersonState:
    with transaction.atomic():
        is_changed = _update(person, **fields)
        if is_changed and (lead_id := fields.get("lead_id")):
            duplicates.mark_closed(person.id, lead_id)
    if not is_changed:  # outside: what is counted here must not be rolled back
        raise person_changed(person.lock_name, f"could not {verb}")
    # Identities cannot have changed either: that raises the version.
    return replace(person, version=person.version + 1, **fields)


def _update(person: PersonState, **fields: Unpack[_Fields]) -> bool:
    rows = Person.objects.filter(id=person.id, version=person.version)
    return rows.update(version=F("version") + 1, **fields) == 1
