"""Counting people: who has more than one active lead in the CRM? Changes nothing there.

People are grouped as everywhere in this app: all e-mails and phones of one contact are one
person, and so is what the ledger knows to belong together. Leads made before this service, by
managers or by other integrations are seen as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from amocrm import conf, ledger, mirror
from amocrm.account.carried import carried_by
from amocrm.api.client import Client
from amocrm.api.schemas import Contact, Lead, newest_first
from amocrm.api.whole_list import every_row, patiently
from amocrm.identity import IdentityKey
from amocrm.ledger import contact_key, duplicates
from amocrm.models import DuplicateLead

MOST_MISSED = 500  # leads that the list left out: deleted ones are on contacts, too
_SQL_BATCH = 500

Report = Callable[[str, int], None]


@dataclass(frozen=True)
class PersonWithDuplicates:
    """Somebody with several active leads, the most recently updated first."""

    names: tuple[str, ...]
    identities: tuple[IdentityKey, ...]
    contact_ids: tuple[int, ...]
    lead_ids: tuple[int, ...]


@dataclass
class ScanResult:
    """The active leads of the configured pipeline, and the contacts they are on."""

    leads: dict[int, Lead] = field(default_factory=dict)
    contacts: dict[int, Contact] = field(default_factory=dict)


def scan(
    client: Client, settings: conf.AmoSettings, pipeline_id: int, report: Report
) -> ScanResult:
    """Walk all leads and contacts, and let the mirror see them. ``report`` is told of each page:
    ``leads`` or ``contacts``, and how many were read so far.

    Waits out trouble that passes, and raises what does not (:mod:`amocrm.api.whole_list`).
    """
    scanned = ScanResult()
    seen: set[int] = set()
    for lead in every_row(client.newest_leads, lambda so_far: report("leads", so_far)):
        seen.add(lead.id)
        if lead.is_active(pipeline_id):
            scanned.leads[lead.id] = lead
    most_seen = len(seen) + MOST_MISSED
    wanted = {contact_id for lead in scanned.leads.values() for contact_id in lead.contact_ids}
    walk = mirror.Walk(settings)
    contacts = walk.entering(client.newest_contacts)
    for contact in every_row(contacts, lambda so_far: report("contacts", so_far)):
        missed = set(contact.lead_ids) - seen if len(seen) < most_seen else set()
        if missed and _take_missed(client, scanned, missed, pipeline_id):
            wanted.add(contact.id)
        seen |= missed
        if contact.id in wanted:
            scanned.contacts[contact.id] = contact
    walk.complete(client)
    for contact_id in sorted(wanted - scanned.contacts.keys()):
        # The list leaves some out: contacts of leads that nobody accepted yet, for example.
        found = patiently(partial(client.contact, contact_id))
        if found is not None:
            scanned.contacts[contact_id] = found
    return scanned


def _take_missed(client: Client, scanned: ScanResult, missed: set[int], pipeline_id: int) -> bool:
    """Ask for leads that the list left out, which shifts when one of its leads is deleted
    meanwhile; whether any of them is active."""
    found = [patiently(partial(client.lead, lead_id)) for lead_id in sorted(missed)]
    active = {lead.id: lead for lead in found if lead and lead.is_active(pipeline_id)}
    scanned.leads |= active
    return bool(active)


def people_with_duplicates(
    scanned: ScanResult, settings: conf.AmoSettings
) -> list[PersonWithDuplicates]:
    """Everybody with more than one active lead, who has the most first."""
    carried = {contact.id: carried_by(contact, settings) for contact in scanned.contacts.values()}
    together = _Groups()
    for contact_id, keys in carried.items():
        for key in keys:
            together.join(contact_key(contact_id), key)
    _join_what_the_ledger_knows(together, carried, settings.account)

    leads: dict[IdentityKey, set[int]] = {}
    for lead in scanned.leads.values():
        for contact_id in lead.contact_ids:
            leads.setdefault(together.root(contact_key(contact_id)), set()).add(lead.id)
    contacts: dict[IdentityKey, list[int]] = {}
    for contact_id in sorted(scanned.contacts):
        contacts.setdefault(together.root(contact_key(contact_id)), []).append(contact_id)

    found = [
        PersonWithDuplicates(
            names=tuple(
                dict.fromkeys(scanned.contacts[one].name for one in contacts.get(root, ()))
            ),
            identities=tuple(
                sorted({key for one in contacts.get(root, ()) for key in carried[one]})
            ),
            contact_ids=tuple(contacts.get(root, ())),
            lead_ids=tuple(lead.id for lead in newest_first(scanned.leads[one] for one in ids)),
        )
        for root, ids in leads.items()
        if len(ids) > 1
    ]
    return sorted(found, key=lambda person: (-len(person.lead_ids), person.lead_ids))


def refresh_known_duplicates(
    client: Client, scanned: ScanResult, pipeline_id: int, account: str
) -> None:
    """Mark known duplicates closed whose lead is not active any more.

    A lead that the walk did not show is asked for: lists shift while they are read.
    """
    rows = DuplicateLead.objects.filter(state=DuplicateLead.State.ACTIVE, person__account=account)
    for person_id, lead_id in list(rows.values_list("person_id", "lead_id")):
        if lead_id in scanned.leads:
            continue
        lead = patiently(partial(client.lead, lead_id))
        if lead is None or not lead.is_active(pipeline_id):
            duplicates.mark_closed(person_id, lead_id)


class _Groups:
    """Which keys are one person (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[IdentityKey, IdentityKey] = {}

    def root(self, key: IdentityKey) -> IdentityKey:
        """The key that stands for all that belong together with ``key``."""
        while (parent := self._parent.setdefault(key, key)) != key:
            self._parent[key] = self._parent[parent]
            key = parent
        return key

    def join(self, one: IdentityKey, other: IdentityKey) -> None:
        """These two are the same person."""
        self._parent[self.root(one)] = self.root(other)


def _join_what_the_ledger_knows(
    together: _Groups, carried: dict[int, frozenset[IdentityKey]], account: str
) -> None:
    keys = sorted({contact_key(one) for one in carried}.union(*carried.values()))
    first: dict[int, IdentityKey] = {}
    for start in range(0, len(keys), _SQL_BATCH):
        for key, person_id in ledger.owners(account, keys[start : start + _SQL_BATCH]).items():
            together.join(key, first.setdefault(person_id, key))
