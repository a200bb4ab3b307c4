"""Holding the mirror to what the ordinary search finds: that is how it earns its trust."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import DatabaseError
from django.utils.translation import gettext_noop

from amocrm import conf
from amocrm.account.carried import carried_by
from amocrm.api.client import Client
from amocrm.api.schemas import Contact
from amocrm.errors import AmoError
from amocrm.identity import IdentityKey
from amocrm.log_context import get_logger
from amocrm.mirror import entries, feed, state
from amocrm.mirror.state import Readiness

logger = get_logger(__name__)

UNKNOWN = gettext_noop("the search has found a contact that the mirror did not know")


def compare(
    crm: Client,
    settings: conf.AmoSettings,
    searched: Collection[IdentityKey],
    found: Iterable[Contact],
) -> None:
    """Compare what an ordinary delivery's search for ``searched`` has ``found`` with the mirror; to
    be called when the delivery is done, for nobody may wait for it.

    A contact that carries one of them, and has not changed since the mirror was brought up to date,
    must be in it. While it earns its trust it is brought up to date first, which costs a request;
    later only what it should know anyway is compared. Does nothing before the first walk.

    Never raises what the client raises, nor an error of the database: the delivery is done.
    """
    try:
        _compare(crm, settings, frozenset(searched), found)
    except (AmoError, DatabaseError) as error:
        logger.warning("🪞 What was found could not be compared with the mirror: %s", error)


def _compare(
    crm: Client,
    settings: conf.AmoSettings,
    searched: frozenset[IdentityKey],
    found: Iterable[Contact],
) -> None:
    if not searched or state.known_until(settings) is None:
        return
    if state.readiness(settings) is Readiness.LEARNING and not feed.catch_up(crm, settings):
        return
    until = state.known_until(settings)
    if until is None:
        return
    for contact in found:
        is_old_enough = contact.updated_at < until - feed.OVERLAP
        if is_old_enough and _is_missing(settings, contact, searched):
            # It may have lost that between the search and the last read; or got more, from us.
            now = crm.contact(contact.id)
            if now and _is_missing(settings, now, searched):
                state.distrust(settings.account, UNKNOWN, contact_id=contact.id)
                return
    state.count_comparison(settings)


def _is_missing(
    settings: conf.AmoSettings, contact: Contact, searched: frozenset[IdentityKey]
) -> bool:
    """Whether the mirror does not know the contact by each of ``searched`` that it carries."""
    carriers = entries.carriers(settings.account, carried_by(contact, settings) & searched)
    return any(contact.id not in ids for ids in carriers.values())
