"""Updating the lead that is already there, and completing its contact."""

from __future__ import annotations

from amocrm.api.schemas import Contact, Lead
from amocrm.errors import Refused, Rejected
from amocrm.identity import IdentityKey
from amocrm.log_context import logger
from amocrm.upsert import duplicates, lookup, payloads
from amocrm.upsert.context import Work

log = logger(__name__)


def update_lead(work: Work, lead: Lead) -> None:
    """Bring the submission into an existing lead. Doing it twice changes nothing more."""
    changes = payloads.lead_changes(work.request, lead, work.shape())
    try:
        _change(work, lead, changes)
    except Rejected as error:
        rejected = payloads.dispensable(error, changes)
        if rejected is None:
            raise
        log.warning("🏷 amoCRM rejects a part of the lead, updating without: %s", error)
        shape = work.shape(fresh=True)
        _change(work, lead, payloads.lead_changes(work.request, lead, shape, without=rejected))
    # The main one comes first, but a manager may have put somebody else there.
    theirs = [one for one in lead.contact_ids if one in work.person.contacts]
    if theirs:
        complete_contact(work, theirs[0])


def _change(work: Work, lead: Lead, changes: payloads.Body) -> None:
    if changes:
        work.crm.update_lead(lead.id, changes)


def complete_contact(work: Work, contact_id: int) -> None:
    """Append what the submission names and none of the person's contacts has to this one.

    It is looked for first: a contact that has it is the person too, and its lead is shown to
    operators. PATCH replaces the whole set, so the contact is read here, under the lock. What
    earlier submissions named was appended then: a manager may have removed it since.
    """
    contact = work.crm.contact(contact_id)
    if contact is None or not _missing(work, [contact]):
        return
    contacts = lookup.find_contacts(work)
    others = [lead.id for lead in lookup.active_leads(work, contacts)]
    if work.person.lead_id in others:
        others.remove(work.person.lead_id)
        duplicates.mark_active(work.person.id, others, kept=work.person.lead_id)
    contact = work.crm.contact(contact_id)  # searching may have taken seconds
    missing = _missing(work, [contact, *contacts]) if contact else frozenset()
    if contact is None or not missing:
        return
    try:
        work.crm.update_contact(contact_id, payloads.contact_additions(contact, missing))
    except Refused as error:
        # The note has them, too: the lead must not be lost to the salesperson for that.
        log.warning("📇 amoCRM refuses to complete contact %s: %s", contact_id, error)


def _missing(work: Work, contacts: list[Contact]) -> frozenset[IdentityKey]:
    carried = [lookup.carried_by(contact, work.settings) for contact in contacts]
    return work.named.difference(*carried)
