"""Updating the lead that is already there, and completing its contact."""

from __future__ import annotations

from amocrm import ledger
from amocrm.account.carried import carried_by
from amocrm.api.schemas import Contact, Lead
from amocrm.errors import Refused, Rejected
from amocrm.identity import IdentityKey
from amocrm.ledger import duplicates
from amocrm.log_context import get_logger
from amocrm.upsert import lookup, payloads
from amocrm.upsert.context import UpsertContext

logger = get_logger(__name__)


def update_lead(context: UpsertContext, lead: Lead) -> None:
    """Bring the submission into an existing lead. Doing it twice changes nothing more."""
    left_out = payloads.left_out(context.request)
    changes = payloads.lead_changes(context.request, lead, context.schema(), without=left_out)
    try:
        _change(context, lead, changes)
    except Rejected as error:
        rejected = payloads.dispensable(error, changes)
        if rejected is None:
            raise
        logger.warning("🏷 amoCRM rejects a part of the lead, updating without: %s", error)
        schema, without = context.schema(fresh=True), rejected | left_out
        changes = payloads.lead_changes(context.request, lead, schema, without=without)
        _change(context, lead, changes)
    # The main one comes first, but a manager may have put somebody else there.
    theirs = [one for one in lead.contact_ids if one in context.person.contacts]
    if theirs:
        complete_contact(context, theirs[0])


def _change(context: UpsertContext, lead: Lead, changes: payloads.Body) -> None:
    if changes:
        context.crm.update_lead(lead.id, changes)


def complete_contact(context: UpsertContext, contact_id: int) -> None:
    """Append what the submission names and none of the person's contacts has to this one.

    It is looked for first: a contact that has it is the person too, and its lead is shown to
    operators. PATCH replaces the whole set, so the contact is read here, under the lock. Nothing
    is asked where the ledger has seen all of it on a contact: a manager may have removed it since.
    """
    if context.named_theirs <= context.person.on_contact:
        return
    contact = context.crm.contact(contact_id)
    if contact is None:
        return
    if _missing(context, [contact]):
        contacts = lookup.link_contacts(context)
        others = [lead.id for lead in lookup.active_leads(context, contacts)]
        if context.person.lead_id in others:
            others.remove(context.person.lead_id)
            duplicates.mark_active(context.person.id, others, kept=context.person.lead_id)
        contact = context.crm.contact(contact_id)  # searching may have taken seconds
        if contact is None or not _append(
            context, contact, _missing(context, [contact, *contacts])
        ):
            return
    context.write(ledger.mark_on_contact, context.named_theirs)


def _append(context: UpsertContext, contact: Contact, missing: frozenset[IdentityKey]) -> bool:
    """Whether the contact has all of it now."""
    if not missing:
        return True
    body = payloads.contact_additions(contact, missing)
    try:
        try:
            context.crm.update_contact(contact.id, body)
        except Rejected as error:
            rejected = payloads.dispensable(error, body)
            if rejected != frozenset({payloads.KINDS}):
                raise
            body = payloads.contact_additions(contact, missing, without=rejected)
            context.crm.update_contact(contact.id, body)
    except Refused as error:
        # The note has them, too: the lead must not be lost to the salesperson for that.
        logger.warning("📇 amoCRM refuses to complete contact %s: %s", contact.id, error)
        return False
    return True


def _missing(context: UpsertContext, contacts: list[Contact]) -> frozenset[IdentityKey]:
    carried = [carried_by(contact, context.settings) for contact in contacts]
    return context.named_theirs.difference(*carried)
