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
_is_quiet: ContextVar[bool] = ContextVar("amocrm_log_is_quiet", default=False)


def current_subject() -> str:
    """The e-mail and phone of the person whom log lines are about, empty outside of a context."""
    return _person.get()


@contextmanager
def log_context(
    *, named: Iterable[IdentityKey], reference: str, quiet: bool = False
) -> Iterator[None]:
    """End every line logged in this block with the person, as ``named``, and the submission.

    ``quiet``: what is usual is of the level DEBUG. Of thousands of deliveries in a burst nobody
    reads six lines each.
    """
    person = " / ".join(key.value for key in sorted(named)) or "nobody named"
    before = _person.set(person), _reference.set(reference), _is_quiet.set(quiet)
    try:
        yield
    finally:
        _person.reset(before[0])
        _reference.reset(before[1])
        _is_quiet.reset(before[2])


class _ContextLogger(logging.LoggerAdapter[logging.Logger]):
    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        person, end = _person.get(), ""
        if person:
            # A line that shows the person itself does not name them twice.
            end = "" if person in args else f" · {person}"
            end += f" · submission {_reference.get()}"
        if level == logging.INFO and _is_quiet.get():
            level = logging.DEBUG
        super().log(level, f"{msg}%s", *args, end, **kwargs)


def get_logger(name: str) -> _ContextLogger:
    """A logger whose lines carry the current subject."""
    return _ContextLogger(logging.getLogger(name), {})
