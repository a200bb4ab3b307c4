"""Other leads of a person beside the recorded one: named in the note, shown to operators."""

from __future__ import annotations

from collections.abc import Iterable

from amocrm.entities import LOST, Lead
from amocrm.errors import LeadGone
from amocrm.events import Event, count
from amocrm.models import DuplicateLead
from amocrm.story import logger
from amocrm.work import Work

log = logger(__name__)

DUPLICATE_TAG = "дубль"


def unchecked(person_id: int) -> list[int]:
    """Leads that uniting two people left behind and nobody has looked at."""
    rows = DuplicateLead.objects.filter(person_id=person_id, state=DuplicateLead.State.UNCHECKED)
    return list(rows.values_list("lead_id", flat=True))


def active(person_id: int) -> list[int]:
    """The other leads of this person that were active when last seen."""
    rows = DuplicateLead.objects.filter(person_id=person_id, state=DuplicateLead.State.ACTIVE)
    return sorted(rows.values_list("lead_id", flat=True))


def mark_closed(person_id: int, lead_id: int) -> None:
    """This lead is no duplicate any more: closed, gone, or the recorded one."""
    DuplicateLead.objects.filter(person_id=person_id, lead_id=lead_id).update(
        state=DuplicateLead.State.CLOSED
    )


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
        if not is_new and row.state != DuplicateLead.State.ACTIVE:
            row.state = DuplicateLead.State.ACTIVE
            row.save(update_fields=["state"])
            is_new = True
        if is_new:
            log.warning("👯 [DEDUP] Another ACTIVE lead: ID %s beside ID %s", lead_id, kept)
            count(Event.DUPLICATE_FOUND)
    mark_closed(person_id, kept)


def choose(work: Work, leads: list[Lead]) -> Lead:
    """The one that stays of several ACTIVE leads, the most recently updated first in
    ``leads``; the others are shown."""
    kept, *others = leads
    mark_active(work.person.id, [lead.id for lead in others], kept=kept.id)
    return kept


def close_ours(work: Work, lead_id: int, other: int | None) -> None:
    """Close a lead that we have just made beside another one.

    The row comes first: were we to die now, operators see the pair and the next delivery
    closes it. The calls are unguarded: the lead is surely ours, and it is our duty.
    """
    DuplicateLead.objects.update_or_create(
        person_id=work.person.id,
        lead_id=lead_id,
        defaults={
            "origin": DuplicateLead.Origin.RACED,
            "state": DuplicateLead.State.CLOSING,
        },
    )
    pipeline_id = work.shape_unguarded().pipeline_id
    named = f"ID {other}" if other else "другая сделка"
    try:
        work.bare_crm.update_lead(
            lead_id,
            {
                "pipeline_id": pipeline_id,
                "status_id": LOST,
                "tags_to_add": [{"name": DUPLICATE_TAG}],
            },
        )
    except LeadGone:
        pass
    else:
        text = f"Дубль, закрыт автоматически: у этого человека уже есть сделка ({named})."
        work.bare_crm.add_notes(lead_id, [text], just_before=lambda: None)
    mark_closed(work.person.id, lead_id)
    log.warning("🧯 [DEDUP] Closed our duplicate lead: ID %s beside %s", lead_id, named)
    count(Event.DUPLICATE_CLOSED)


def finish_closing(work: Work) -> None:
    """Close what an earlier try made as a duplicate and died before closing.

    One that was adopted meanwhile is the recorded lead now, and stays.
    """
    for lead_id in DuplicateLead.objects.filter(
        person_id=work.person.id, state=DuplicateLead.State.CLOSING
    ).values_list("lead_id", flat=True):
        if lead_id == work.person.lead_id:
            mark_closed(work.person.id, lead_id)
        else:
            close_ours(work, lead_id, work.person.lead_id)
