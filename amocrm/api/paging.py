"""Lists that come page by page.

Heavy accounts answer 504 to a page of 250 with what is linked to its rows, and stand smaller ones
(seen live; amoCRM's own advice for a 504 is to ask for less). So a page may be read in parts, which
get smaller after an error of the server and larger again after a while. Whoever walks a list does
not notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from amocrm.api import crm_clock
from amocrm.errors import RetryLater
from amocrm.log_context import get_logger

logger = get_logger(__name__)

PAGE_SIZE = 250  # what is asked for; amoCRM clips more, and some lists give less
SIZES = (PAGE_SIZE, 125, 25)  # each divides the one before it
GROW_AFTER = 20  # whole pages

SERVER_ERROR = 500

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page. ``has_next`` is what ``_links.next`` says: a short page need not be the last.

    ``asked_at`` is when it was asked for at the latest, by amoCRM's clock.
    """

    rows: list[T]
    has_next: bool
    asked_at: datetime = field(default_factory=crm_clock.surely_past)


class PartSize:
    """How much this process asks a list for at a time."""

    def __init__(self) -> None:
        self._step = 0
        self._pages = 0

    @property
    def now(self) -> int:
        """Rows."""
        return SIZES[self._step]

    def shrink(self, failed: int) -> bool:
        """A part of ``failed`` rows was too much; whether there is a smaller one."""
        if failed == SIZES[-1]:
            return False
        # Of several threads that fail together each says so, and only the first is news.
        self._step, self._pages = max(self._step, SIZES.index(failed) + 1), 0
        return True

    def succeeded(self) -> None:
        """A whole page was read; after some of them a larger part is tried."""
        self._pages += 1
        if self._step and self._pages >= GROW_AFTER:
            self._step, self._pages = self._step - 1, 0

    def reset(self) -> None:
        """As at the start of the process."""
        self._step = self._pages = 0


part_size = PartSize()


def whole_page(fetch: Callable[[int, int], Page[T]], page: int) -> Page[T]:
    """The page number ``page`` of :data:`PAGE_SIZE` rows, read in as many parts as the account
    needs: ``fetch`` is given the size of a part and its number.

    Raises what ``fetch`` raises once a part cannot be smaller.
    """
    while True:
        size = part_size.now
        try:
            return _in_parts(fetch, page, size)
        except RetryLater as error:
            is_servers = error.status is not None and error.status >= SERVER_ERROR
            if not is_servers or not part_size.shrink(size):
                raise
            logger.warning("🔎 amoCRM cannot give %d rows at once: %s", size, error)


def _in_parts(fetch: Callable[[int, int], Page[T]], page: int, size: int) -> Page[T]:
    parts = PAGE_SIZE // size
    first = (page - 1) * parts + 1
    read = [fetch(size, first)]
    while read[-1].has_next and len(read) < parts:
        read.append(fetch(size, first + len(read)))
    part_size.succeeded()
    rows = [row for part in read for row in part.rows]
    return Page(rows, read[-1].has_next, read[0].asked_at)


def each(fetch: Callable[[int], Page[T]], *, most_pages: int, what: str = "") -> Iterator[T]:
    """The rows of all pages, as :func:`pages` gives them."""
    for rows in pages(fetch, most_pages=most_pages, what=what):
        yield from rows


def pages(fetch: Callable[[int], Page[T]], *, most_pages: int, what: str = "") -> Iterator[list[T]]:
    """The rows page by page, at most so many. Where the rest matters, a warning names ``what``.

    Pages count from 1. They are capped because amoCRM ignores a filter that it does not know,
    and then answers with the whole collection.
    """
    for number in range(1, most_pages + 1):
        page = fetch(number)
        yield page.rows
        if not page.has_next:
            return
    if what:
        logger.warning(
            "🔎 amoCRM has more than %d pages of %s: the rest is unread", most_pages, what
        )
