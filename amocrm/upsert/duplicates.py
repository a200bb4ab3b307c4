"""Other leads of a person beside the recorded one: named in the note, shown to operators."""

from __future__ import annotations

from collections.abc import Iterable

from amocrm.api.schemas import Lead, newest_first
from amocrm.counters import Event, count
from amocrm.log_context import get_logger
from amocrm.models import DuplicateLead
from amocrm.upsert.context import UpsertContext

logger = get_logger(__name__)


def unchecked(person_id: int) -> list[int]:
    """Leads that uniting two people left behind and nobody has looked at."""
    rows = DuplicateLead.objects.filter(person_id=person_id, state=DuplicateLead.State.UNCHECKED)
    return list(rows.values_list("lead_id", flat=True))


def active(person_id: int) -> list[int]:
    """The other leads of this person that were active when last seen."""
    rows = DuplicateLead.objects.filter(person_id=person_id, state=DuplicateLead.State.ACTIVE)
    return sorted(rows.values_list("lead_id", flat=True))


def mark_closed(person_id: int, lead_id: int) -> None:
    """This lead is no duplicate any more: closed, gone, or the recorded one. One that was
    disowned stays so until it is settled."""
    DuplicateLead.objects.filter(person_id=person_id, lead_id=lead_id).exclude(
        state=DuplicateLead.State.SUPERSEDED
    ).update(state=DuplicateLead.State.CLOSED)


def mark_active(
    person_id: int,
    leads: Iterable[int],
    *,
    kept: int,
    origin: DuplicateLead.Origin = DuplicateLead.Origin.FOUND,
) -> None:
    """These leads are active beside ``kept``: log, count and show them."""
    for lead_id in leads:
        row, is_new = DuplicateLead.objects.get_or_create(
            person_id=person_id,
            lead_id=lead_id,
            defaults={"origin": origin, "state": DuplicateLead.State.ACTIVE},
        )
        if not is_new:
            # In the database, not by what was read: it may have been disowned since.
            not_shown = (DuplicateLead.State.UNCHECKED, DuplicateLead.State.CLOSED)
            shown = DuplicateLead.objects.filter(pk=row.pk, state__in=not_shown)
            is_new = bool(shown.update(state=DuplicateLead.State.ACTIVE))
        if is_new:
            logger.warning("👯 [DEDUP] Another ACTIVE lead: ID %s beside ID %s", lead_id, kept)
            count(Event.DUPLICATE_FOUND)
    mark_closed(person_id, kept)


def choose(context: UpsertContext, leads: list[Lead]) -> Lead:
    """The one that stays of several ACTIVE leads, the most recently updated; the others are
    shown."""
    kept, *others = newest_first(leads)
    mark_active(context.person.id, [lead.id for lead in others], kept=kept.id)
    return kept
