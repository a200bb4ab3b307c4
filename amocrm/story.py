"""Log lines that tell one delivery's story.

Everything logged through :func:`logger` inside ``with about(…)`` ends with the e-mail, the
phone and the submission it is about, so that one ``grep`` shows the whole story.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_subject: ContextVar[str] = ContextVar("amocrm_story_subject", default="")


def person(email: str, phone: str) -> str:
    """Who somebody is, as far as known."""
    return " / ".join(part for part in (email, phone) if part) or "nobody named"


@contextmanager
def about(*, email: str, phone: str, reference: str) -> Iterator[None]:
    """Name the person and the submission at the end of every line logged in this block."""
    token = _subject.set(f" · {person(email, phone)} · submission {reference}")
    try:
        yield
    finally:
        _subject.reset(token)


class _Storyteller(logging.LoggerAdapter[logging.Logger]):
    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        super().log(level, f"{msg}%s", *args, _subject.get(), **kwargs)


def logger(name: str) -> _Storyteller:
    """A logger whose lines carry the current subject."""
    return _Storyteller(logging.getLogger(name), {})
