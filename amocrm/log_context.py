"""Log lines that tell one delivery's story.

Everything logged through :func:`get_logger` inside ``with log_context(…)`` ends with the e-mail,
the phone and the submission it is about, so that one ``grep`` shows the whole story.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from amocrm.identity import IdentityKey

_person: ContextVar[str] = ContextVar("amocrm_log_person", default="")
_reference: ContextVar[str] = ContextVar("amocrm_log_reference", default="")


def current_subject() -> str:
    """The e-mail and phone of the person whom log lines are about, empty outside of a context."""
    return _person.get()


@contextmanager
def log_context(*, named: Iterable[IdentityKey], reference: str) -> Iterator[None]:
    """End every line logged in this block with the person, as ``named``, and the submission."""
    person = " / ".join(key.value for key in sorted(named)) or "nobody named"
    before = _person.set(person), _reference.set(reference)
    try:
        yield
    finally:
        _person.reset(before[0])
        _reference.reset(before[1])


class _ContextLogger(logging.LoggerAdapter[logging.Logger]):
    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        person, end = _person.get(), ""
        if person:
            # A line that shows the person itself does not name them twice.
            end = "" if person in args else f" · {person}"
            end += f" · submission {_reference.get()}"
        super().log(level, f"{msg}%s", *args, end, **kwargs)


def get_logger(name: str) -> _ContextLogger:
    """A logger whose lines carry the current subject."""
    return _ContextLogger(logging.getLogger(name), {})
