"""Leads of a person beside the recorded one: where each stands, named in the note, shown to ops.

::

    merged with somebody who had one ──▶ unchecked ──┐
    seen ACTIVE beside the recorded one ─────────────┼──▶ active ◀──▶ closed
    made by us, too late ──▶ superseded ─────────────┘                  ▲
                                  └── closed by us, or recorded after all

A lead of ours stays *superseded* until it is surely closed or recorded: only
:func:`end_superseded` moves it on. Every other move is one UPDATE that leaves those alone.
What is superseded is decided with the person's version: :func:`amocrm.ledger.supersede`.

That an operator has dealt with a lead says nothing of where it stands. It holds for as long as the
lead stays what it was, ACTIVE included (two people may share a phone on purpose), and ends where
one that was closed is seen ACTIVE again: that is news.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from amocrm.counters import Event, count
from amocrm.log_context import get_logger
from amocrm.models import DuplicateLead, Person

logger = get_logger(__name__)

Origin = DuplicateLead.Origin
State = DuplicateLead.State


def unchecked(person_id: int) -> list[int]:
    """Leads that merging two people left behind and nobody has looked at."""
    return _leads(person_id, State.UNCHECKED)


def active(person_id: int) -> list[int]:
    """The other leads of this person that were ACTIVE when last seen."""
    return _leads(person_id, State.ACTIVE)


def superseded(person_id: int) -> list[int]:
    """Leads that we made too late and that are not closed yet: nobody may adopt them."""
    return _leads(person_id, State.SUPERSEDED)


def mark_active(person_id: int, leads: Iterable[int], *, kept: int) -> None:
    """These leads are ACTIVE beside ``kept``: log, count and show those that were not shown."""
    for lead_id in leads:
        row, is_new = DuplicateLead.objects.get_or_create(
            person_id=person_id,
            lead_id=lead_id,
            defaults={"origin": Origin.FOUND, "state": State.ACTIVE},
        )
        if not is_new:
            # In the database, not by what was read: it may have been superseded since.
            hidden = DuplicateLead.objects.filter(
                pk=row.pk, state__in=(State.UNCHECKED, State.CLOSED)
            )
            is_new = bool(hidden.update(state=State.ACTIVE, dealt_with_at=None, dealt_with_by=""))
        if is_new:
            logger.warning("👯 [DEDUP] Another ACTIVE lead: ID %s beside ID %s", lead_id, kept)
            count(Event.DUPLICATE_FOUND)


def enter_found(person_id: int, lead_ids: Sequence[int]) -> None:
    """A search saw these leads of the person ACTIVE, the most recently updated first: all but the
    one that is kept are duplicates."""
    with transaction.atomic():
        # Nobody records a lead in between, which would be listed beside itself then.
        person = Person.objects.select_for_update(no_key=True).get(id=person_id)
        if person.merged_into_id is not None:
            return  # the next search finds whoever they are now
        # Without a recorded one among them a delivery would keep the newest.
        kept = next((one for one in lead_ids if one == person.lead_id), lead_ids[0])
        mark_active(person_id, [one for one in lead_ids if one != kept], kept=kept)


def deal_with(row_id: int, *, by: str) -> bool:
    """``by`` has done what there was to do about this row; False if somebody had before."""
    rows = DuplicateLead.objects.filter(pk=row_id, dealt_with_at=None)
    return bool(rows.update(dealt_with_at=timezone.now(), dealt_with_by=by))


def shown(rows: QuerySet[DuplicateLead]) -> QuerySet[DuplicateLead]:
    """Those of ``rows`` that name another lead than the recorded one, of people who are still
    there: what is known of a lead that was recorded later, or of somebody who was merged into
    another, is not true any more."""
    rows = rows.exclude(lead_id=F("person__lead_id"))
    return rows.filter(person__merged_into=None)


def mark_closed(person_id: int, lead_id: int) -> None:
    """This lead is no duplicate any more: closed, gone, or the recorded one."""
    rows = DuplicateLead.objects.filter(person_id=person_id, lead_id=lead_id)
    rows.exclude(state=State.SUPERSEDED).update(state=State.CLOSED)


def add_merged(person: Person, lead_id: int) -> None:
    """The lead of somebody who was merged into ``person``, in the caller's transaction. Which of
    the two leads is the more recent one only the CRM knows."""
    DuplicateLead.objects.get_or_create(
        person=person, lead_id=lead_id, defaults={"origin": Origin.MERGED}
    )


def hand_over(giver: Person, taker: Person) -> None:
    """What is known of one person's other leads is known of the other's, in the caller's
    transaction; where both know a lead, the taker's row counts."""
    DuplicateLead.objects.filter(person=giver).exclude(
        lead_id__in=taker.duplicates.values("lead_id")
    ).update(person=taker)


def add_superseded(person_id: int, lead_id: int) -> None:
    """We made this lead too late, in the caller's transaction."""
    DuplicateLead.objects.update_or_create(
        person_id=person_id,
        lead_id=lead_id,
        defaults={"origin": Origin.SUPERSEDED, "state": State.SUPERSEDED},
    )


def end_superseded(person_id: int, lead_id: int, *, is_closed: bool) -> None:
    """A lead of ours that was superseded is closed or recorded, or amoCRM refuses to close it."""
    state = State.CLOSED if is_closed else State.ACTIVE
    DuplicateLead.objects.filter(person_id=person_id, lead_id=lead_id).update(state=state)
    if not is_closed:
        count(Event.DUPLICATE_FOUND)


def _leads(person_id: int, state: DuplicateLead.State) -> list[int]:
    rows = DuplicateLead.objects.filter(person_id=person_id, state=state)
    return sorted(rows.values_list("lead_id", flat=True))
