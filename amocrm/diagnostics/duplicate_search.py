"""The search for people with more than one active lead: walk, enter, remember.

Whoever the ledger knows gets rows in the list of duplicates; the others are counted. Changes
nothing in the CRM.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from amocrm import conf, ledger
from amocrm.account.schema import fetch_schema
from amocrm.api.client import connect
from amocrm.counters import Event, count
from amocrm.diagnostics import faults
from amocrm.diagnostics.duplicate_scan import (
    PersonWithDuplicates,
    Report,
    people_with_duplicates,
    refresh_known_duplicates,
    scan,
)
from amocrm.errors import AmoError, Refused
from amocrm.ledger import contact_key, duplicates, proposals
from amocrm.models import DuplicateSearch, Person
from amocrm.text import times


@dataclass(frozen=True)
class Duplicates:
    """Everybody with more than one active lead, and of how many active leads they were found."""

    people: list[PersonWithDuplicates]
    active_leads: int


def find_duplicates(report: Report = lambda what, so_far: None) -> Duplicates:
    """Walk the account, bring the list of duplicates up to date, and tell who was found.

    ``report`` is told how far :func:`~amocrm.diagnostics.duplicate_scan.scan` is. Raises
    :class:`~amocrm.errors.Refused` where the account has no such pipeline, and what ``scan``
    raises; that is remembered, too.
    """
    settings = conf.current()
    try:
        found = _find(settings, report)
    except AmoError as error:
        _remember(settings.account, failed_at=timezone.now(), error=str(error))
        raise
    strangers = [one for one in found.people if not _enter(settings.account, one)]
    _remember(
        settings.account,
        finished_at=timezone.now(),
        active_leads=found.active_leads,
        people=len(found.people),
        strangers=len(strangers),
        failed_at=None,
        error="",
    )
    return found


def last_search() -> str:
    """When the configured account was searched last, and what came of it, for people."""
    search = DuplicateSearch.objects.filter(account=conf.current().account).first()
    if search is None:
        return _(
            "Nobody has been looked for yet: that is done every night, and by manage.py "
            "find_duplicate_leads."
        )
    sentences = []
    if search.finished_at:
        sentences += [
            _(
                "Last search: %(time)s. People with more than one active lead: %(people)d (of "
                "%(leads)d active leads)."
            )
            % {
                "time": times.shown(search.finished_at),
                "people": search.people,
                "leads": search.active_leads,
            }
        ]
    if search.strangers:
        sentences += [
            _(
                "Not in this list, because the service does not know them: %(count)d of these "
                "people. manage.py find_duplicate_leads names them."
            )
            % {"count": search.strangers}
        ]
    if search.failed_at:
        sentences += [
            _("The search of %(time)s failed: %(error)s")
            % {"time": times.shown(search.failed_at), "error": search.error}
        ]
    return " ".join(sentences)


def _find(settings: conf.AmoSettings, report: Report) -> Duplicates:
    with connect(settings) as client:
        schema = fetch_schema(client, settings)
        if schema is None:
            advice = _("Run manage.py amocrm_check: it shows which there are.")
            raise Refused(f"{faults.no_pipeline(settings)} {advice}")
        scanned = scan(client, settings, schema.pipeline_id, report)
        refresh_known_duplicates(client, scanned, schema.pipeline_id, settings.account)
    return Duplicates(people_with_duplicates(scanned, settings), len(scanned.leads))


def _enter(account: str, found: PersonWithDuplicates) -> bool:
    """Enter their other leads as duplicates; whether the ledger knows them.

    Where it takes them for several, each keeps the lead that is recorded for them, and operators
    are asked whether they are one. The first of them gets the rows: two who list each other's leads
    would contradict each other.
    """
    keys = {*found.identities, *map(contact_key, found.contact_ids)}
    known = Person.objects.filter(id__in=set(ledger.owners(account, keys).values()))
    people = sorted(known, key=lambda one: (one.lead_id not in found.lead_ids, one.pk))
    if not people:
        return False
    first, *others = people
    theirs = {other.lead_id for other in others if other.lead_id != first.lead_id}
    for other in others:
        if other.lead_id in theirs.intersection(found.lead_ids) and proposals.propose(first, other):
            count(Event.MERGE_PROPOSED)
    duplicates.enter_found(first.pk, [one for one in found.lead_ids if one not in theirs])
    return True


def _remember(account: str, **values: object) -> None:
    DuplicateSearch.objects.update_or_create(account=account, defaults=values)
