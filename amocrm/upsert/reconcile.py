"""Step 3: a claim stands, and nobody knows whether its lead was made. Look, and then know."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from amocrm import ledger
from amocrm.api.schemas import Contact, Lead
from amocrm.errors import GoAlone, StillSettling
from amocrm.ledger import duplicates, whole_refusals
from amocrm.log_context import get_logger
from amocrm.upsert import lookup
from amocrm.upsert.context import StartOver, UpsertContext
from amocrm.upsert.settling import CLOCKS_DIFFER_BY, next_look

logger = get_logger(__name__)


def reconcile(context: UpsertContext) -> None:
    """Adopt the lead that the claim was for, or release the claim.

    Raises :class:`~amocrm.errors.StillSettling` while a lost call may still be carried out, without
    a look where somebody who waits for it, too, has just looked in vain, and
    :class:`~amocrm.upsert.context.StartOver` when there is surely no lead and the claim was
    released.
    """
    since = context.person.creating_since
    if since is None:
        return
    now, next_look_at = timezone.now(), context.person.next_look_at
    if next_look_at and now < next_look_at:
        raise _still_settling(context, next_look_at - now)
    logger.info("🧭 [DEDUP] A lead may be on its way since %s: looking for it", since.isoformat())
    # Read before looking: only a look that began after SETTLE_SECONDS proves that there is none.
    is_settled = now - since >= context.settings.settle
    oldest = since - CLOCKS_DIFFER_BY
    contacts = _contacts_since(context, oldest)
    being_closed = duplicates.superseded(context.person.id)
    leads = [
        lead
        for lead in lookup.active_leads(context, contacts.values())
        if lead.id not in being_closed  # of another try
    ]
    is_known = any(_may_be_the_claimed_one(context, lead, oldest) for lead in leads)
    if not is_known and not is_settled:
        # An older lead is no answer: ours may still arrive beside it.
        wait = next_look(since, context.settings.settle)
        ledger.looked_in_vain(context.person, next_look_at=timezone.now() + wait)
        raise _still_settling(context, wait)
    if not leads:
        whole_refusals.learn(context.person.account, context.person.creating_ref, was_made=False)
        context.write(ledger.release)
        raise StartOver
    lead = lookup.keep_newest(context, leads)
    is_ours = _may_be_the_claimed_one(context, lead, oldest)
    whole_refusals.learn(context.person.account, context.person.creating_ref, was_made=is_ours)
    context.action = "created" if is_ours else "updated"
    context.write(ledger.adopt, lead.id)


def _contacts_since(context: UpsertContext, oldest: datetime) -> dict[int, Contact]:
    """The person's contacts, those that the claimed call may have made among them.

    Together with others the newest contacts answer for all. Whatever else amoCRM may have made of
    the call (a lead on a contact that was there) is not seen then, and nothing is lost by that: a
    claim is released no sooner than ever, and whoever then creates looks again before.
    """
    if context.together and context.person.contacts:
        raise GoAlone("the person has contacts, whose leads are to be looked at")
    found = lookup.link_newest_contacts(context, since=oldest)
    if not context.together:
        found += lookup.link_contacts(context)
    return {contact.id: contact for contact in found}


def _still_settling(context: UpsertContext, wait: timedelta) -> StillSettling:
    return StillSettling(
        "an earlier call may still make the lead",
        lock_name=context.person.lock_name,
        retry_after=wait,
    )


def _may_be_the_claimed_one(context: UpsertContext, lead: Lead, oldest: datetime) -> bool:
    """Whether the claim can have been for this lead: it is new, and nobody's yet."""
    return lead.created_at >= oldest and not ledger.is_recorded(context.person.account, lead.id)
