"""Updating the lead that is already there, and completing its contact."""

from __future__ import annotations

from amocrm import bodies, directory, duplicates
from amocrm.entities import Contact, Lead
from amocrm.errors import Rejected
from amocrm.identity import IdentityKey
from amocrm.story import logger
from amocrm.work import Work

log = logger(__name__)


def update_lead(work: Work, lead: Lead) -> None:
    """Bring the submission into an existing lead. Doing it twice changes nothing more."""
    shape = work.shape()
    changes = bodies.lead_changes(work.request, lead, shape)
    if changes:
        try:
            work.crm.update_lead(lead.id, changes)
        except Rejected as error:
            if not concerns_fields(error):
                raise
            log.warning("🏷 amoCRM rejects a field of the lead: %s", error)
            shape = work.shape(fresh=True)
            changes = bodies.lead_changes(work.request, lead, shape, with_fields=False)
            if changes:
                work.crm.update_lead(lead.id, changes)
    if lead.contact_ids:
        complete_contact(work, lead.contact_ids[0])


def complete_contact(work: Work, contact_id: int) -> None:
    """Append the e-mails and phones that none of the person's contacts has to this one.

    They are looked for first: a contact that has them is the person too, and its lead is shown
    to operators. PATCH replaces the whole set, so the contact is read here, under the lock.
    """
    contact = work.crm.contact(contact_id)
    if contact is None or not _missing(work, [contact]):
        return
    contacts = directory.find_contacts(work)
    others = [lead.id for lead in directory.active_leads(work, contacts)]
    if work.person.lead_id in others:
        others.remove(work.person.lead_id)
        duplicates.mark_active(work.person.id, others, kept=work.person.lead_id)
    if missing := _missing(work, [contact, *contacts]):
        work.crm.update_contact(contact_id, bodies.contact_additions(contact, missing))


def _missing(work: Work, contacts: list[Contact]) -> frozenset[IdentityKey]:
    carried = [directory.carried_by(contact, work.settings) for contact in contacts]
    return work.person.searchable.difference(*carried)


def concerns_fields(error: Rejected) -> bool:
    """Whether only custom fields of the lead, which are optional, were rejected."""
    return bool(error.problems) and all(
        "custom_fields_values" in problem.path and "contacts" not in problem.path
        for problem in error.problems
    )
