"""Log lines that tell one delivery's story.

Everything logged through :func:`get_logger` inside ``with log_context(…)`` ends with the e-mail,
the phone and the submission it is about, so that one ``grep`` shows the whole story.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_person: ContextVar[str] = ContextVar("amocrm_log_person", default="")
_subject: ContextVar[str] = ContextVar("amocrm_log_subject", default="")


def current_subject() -> str:
    """Who the story is about."""
    return _person.get()


@contextmanager
def log_context(*, email: str, phone: str, reference: str) -> Iterator[None]:
    """Name the person and the submission at the end of every line logged in this block."""
    person = " / ".join(part for part in (email, phone) if part) or "nobody named"
    before = _person.set(person), _subject.set(f" · {person} · submission {reference}")
    try:
        yield
    finally:
        _person.reset(before[0])
        _subject.reset(before[1])


class _ContextLogger(logging.LoggerAdapter[logging.Logger]):
    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        super().log(level, f"{msg}%s", *args, _subject.get(), **kwargs)


def get_logger(name: str) -> _ContextLogger:
    """A logger whose lines carry the current subject."""
    return _ContextLogger(logging.getLogger(name), {})
