"""What was found: one type for the command, the page and Django's system check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, in words.

    ``about`` is what was looked at, the same for every outcome, and ``code`` names one fault.
    ``text`` is complete without the ``title``, which heads it on a page. ``fix`` says what to do
    and ``commands`` what to type, both empty where nothing is needed. While a ``critical`` fault
    lasts, nothing is delivered.
    """

    level: Level
    about: str
    text: str
    fix: str = ""
    code: str = ""
    title: str = ""
    commands: tuple[str, ...] = ()
    critical: bool = False
