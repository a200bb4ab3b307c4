"""A walk through all contacts, which fills the mirror and cleans it up.

The nightly census walks them anyway, and lets a :class:`Walk` see its pages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.utils import timezone

from amocrm import conf
from amocrm.api.client import Client
from amocrm.api.paging import Page
from amocrm.api.schemas import Contact
from amocrm.api.whole_list import every_row, patiently
from amocrm.log_context import get_logger
from amocrm.mirror import entries, feed, state

logger = get_logger(__name__)

# Of what changes while somebody walks: nobody waits for it.
MOST_PAGES_OF_CHANGES = 100


def walk(
    crm: Client, settings: conf.AmoSettings, report: Callable[[int], None] = lambda so_far: None
) -> bool:
    """Walk all contacts; whether the mirror is whole then. ``report`` is told how many were read so
    far.

    Waits out trouble that passes, and raises what does not (:mod:`amocrm.api.whole_list`).
    """
    walking = Walk(settings)
    for _ in every_row(walking.entering(crm.newest_contacts), report):
        pass
    return walking.complete(crm)


class Walk:
    """One walk, begun when it is made. Where ``BURST=off`` it keeps nothing."""

    def __init__(self, settings: conf.AmoSettings) -> None:
        self._settings = settings
        self._is_on = settings.burst != "off"
        self._begun = timezone.now()
        self._first: Page[Contact] | None = None
        self._last: Page[Contact] | None = None
        if self._is_on:
            state.begin_walk(settings)

    def entering(self, fetch: feed.Fetch) -> feed.Fetch:
        """``fetch`` of the list of all contacts, entering each page that it reads."""

        def fetched(number: int) -> Page[Contact]:
            page = fetch(number)
            if self._is_on:
                entries.enter(self._settings, page.rows, seen_at=page.asked_at)
                state.still_walking(self._settings)
                self._first, self._last = self._first or page, page
            return page

        return fetched

    def complete(self, crm: Client) -> bool:
        """Every page was read: read what has changed meanwhile, and clean up; whether the mirror is
        whole then. Raises as :func:`walk`."""
        if self._first is None or self._last is None:
            return False
        if self._last.has_next:
            logger.warning("🪞 The list of all contacts did not come to its end: no mirror")
            return False
        began_at = self._first.asked_at

        def changed(number: int) -> Page[Contact]:
            state.still_walking(self._settings)
            return patiently(partial(crm.changed_contacts, number))

        try:
            done = feed.read(
                changed, self._settings, since=began_at, most_pages=MOST_PAGES_OF_CHANGES
            )
        except feed.NotInOrder:
            state.distrust(self._settings.account, feed.NOT_IN_ORDER)
            return False
        if not done.is_whole:
            logger.warning("🪞 More has changed during the walk than can be read: no mirror")
            return False
        completed = state.complete_walk(
            self._settings, begun=self._begun, began_at=began_at, read_at=done.began_at
        )
        if completed:
            logger.info("🪞 All contacts were walked: the mirror is whole")
        return completed
