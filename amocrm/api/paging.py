"""Lists that come page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from amocrm.log_context import get_logger

logger = get_logger(__name__)

PAGE_SIZE = 250  # what is asked for; amoCRM clips more, and some lists give less

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page. ``has_next`` is what ``_links.next`` says: a short page need not be the last."""

    rows: list[T]
    has_next: bool


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
