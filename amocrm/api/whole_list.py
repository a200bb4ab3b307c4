"""Walking through a whole list: patiently, for nobody waits for it, and one request at a time, so
that deliveries get their turn at the limit in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from amocrm.api.paging import Page
from amocrm.api.schemas import Contact, Lead
from amocrm.errors import ComeBack, RetryLater
from amocrm.log_context import get_logger

logger = get_logger(__name__)

MOST_PAGES = 10_000  # of 250: an account with more than that is not ours to walk
MAX_ATTEMPTS = 20
RETRY_SECONDS = 5.0

T = TypeVar("T")
Row = TypeVar("Row", Lead, Contact)


def every_row(
    fetch: Callable[[int], Page[Row]], report: Callable[[int], None] = lambda so_far: None
) -> Iterator[Row]:
    """Every row once, page by page, until a page is empty or brings nothing new. ``report`` is told
    how many were read so far. Raises as :func:`patiently`."""
    seen: set[int] = set()
    for number in range(1, MOST_PAGES + 1):
        page = patiently(partial(fetch, number))
        new = [row for row in page.rows if row.id not in seen]
        if not new:
            return
        seen.update(row.id for row in new)
        report(len(seen))
        yield from new
    logger.warning("🔎 More than %d pages: the rest is unread", MOST_PAGES)


def patiently(ask: Callable[[], T]) -> T:
    """What ``ask`` returns. Trouble that passes (a backoff, a busy limiter, a 5xx) is waited out;
    what does not pass is raised after some minutes."""
    for _attempt in range(MAX_ATTEMPTS - 1):
        try:
            return ask()
        except (ComeBack, RetryLater) as error:
            logger.info("🔎 Waiting to go on: %s", error)
            time.sleep(RETRY_SECONDS)
    return ask()
