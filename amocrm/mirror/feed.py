"""Reading what has changed in the CRM since it was read last.

The list of all contacts by their last change works on every account, and is read page by page until
it reaches known ground: a row older than the beginning of the last complete read. Times are by
amoCRM's clock, for those of its rows are.

Several may read at once. Each enters what it sees, and nobody removes anything; so whoever has
reached known ground may say that everything before the beginning of its own read is entered.

*What may be missed.* A contact that is deleted while two pages are read moves the rest up by one,
and the one at the border of the pages is on neither. It is found by the next walk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext_noop

from amocrm import conf
from amocrm.api.client import Client
from amocrm.api.paging import Page
from amocrm.api.schemas import Contact
from amocrm.mirror import entries, expected, state

# Rows are timed in whole seconds, and one may be seen a moment after it was timed.
OVERLAP = timedelta(seconds=5)

NOT_SHOWN = gettext_noop(
    "the list of the latest changes does not show a contact that was made before it was read"
)
NOT_IN_ORDER = gettext_noop("the list of the latest changes is not in the order of the changes")

Fetch = Callable[[int], Page[Contact]]


@dataclass(frozen=True)
class Read:
    """What was read, and entered. ``is_whole``: known ground was reached. ``began_at`` is by
    amoCRM's clock."""

    began_at: datetime
    shown: frozenset[int]
    is_whole: bool


class NotInOrder(Exception):
    """The list is not in the order that was asked for: where it ends says nothing."""


def catch_up(crm: Client, settings: conf.AmoSettings, *, most_pages: int = 4) -> bool:
    """Enter what has changed since the last read; whether the mirror knows everything now that was
    changed before this call began.

    ``False`` where nobody may rely on it: not walked yet, distrusted, or found to lie just now;
    and where the changes do not fit into so many pages, which makes the mirror wait for the next
    walk. Raises what the client raises, and errors of the database.
    """
    known = state.known_until(settings)
    if known is None:
        return False
    made = expected.of(settings.account)
    try:
        done = read(crm.changed_contacts, settings, since=known, most_pages=most_pages)
    except NotInOrder:
        state.distrust(settings.account, NOT_IN_ORDER)
        return False
    if not done.is_whole:
        state.lost_track(settings, known)
        return False
    if missing := _missing(crm, settings.account, made - done.shown):
        state.distrust(settings.account, NOT_SHOWN, contact_id=missing)
        return False
    expected.forget(settings.account, made)
    state.read_until(settings, done.began_at)
    return True


def read(fetch: Fetch, settings: conf.AmoSettings, *, since: datetime, most_pages: int) -> Read:
    """Read and enter the changes made after ``since``, less :data:`OVERLAP`.

    Raises :class:`NotInOrder`, and what ``fetch`` raises.
    """
    pages: list[Page[Contact]] = []
    is_whole = False
    while not is_whole and len(pages) < most_pages:
        page = fetch(len(pages) + 1)
        pages.append(page)
        moments = [contact.updated_at for contact in page.rows]
        if moments != sorted(moments, reverse=True):
            raise NotInOrder
        # All of it, older rows too: where a clock is wrong, that costs little and is right.
        entries.enter(settings, page.rows, seen_at=page.asked_at)
        is_whole = not page.has_next or any(moment < since - OVERLAP for moment in moments)
    shown = frozenset(contact.id for page in pages for contact in page.rows)
    return Read(pages[0].asked_at, shown, is_whole)


def _missing(crm: Client, account: str, unseen: frozenset[int]) -> int | None:
    """One of our own contacts that is there and that nobody has seen in the list."""
    if not unseen:
        return None
    for contact_id in sorted(unseen - entries.known(account, unseen), reverse=True):
        if crm.contact(contact_id):  # or somebody has deleted it since
            return contact_id
    return None
