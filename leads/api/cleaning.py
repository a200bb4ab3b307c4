"""Texts without what no visitor meant to send: control characters and invisible marks."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"  # invisible, but emoji and some scripts are written with them
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # to Unicode letters and signs, to people nothing
_GAPS = {"Cc", "Cs", "Zl", "Zp"}


def clean_line(text: str) -> str:
    """``text`` on one line, one blank between words; empty where nothing in it can be seen."""
    return _seen(" ".join(_without_marks(text, keep="").split()))


def clean_lines(text: str) -> str:
    """``text`` with its line breaks and tabs; empty where nothing in it can be seen."""
    lines = _without_marks(text.replace("\r\n", "\n").replace("\r", "\n"), keep="\n\t")
    return _seen(lines.strip())


def _without_marks(text: str, *, keep: str) -> str:
    if text.isprintable():  # nearly all are: no mark, no control character
        return text
    return "".join(char if char in keep else _cleaned(char) for char in text)


def _cleaned(char: str) -> str:
    category = unicodedata.category(char)
    if category in _GAPS:
        return " "
    return "" if category == "Cf" and char not in _JOINERS else char


def _seen(text: str) -> str:
    has_ink = any(char not in _BLANKS and unicodedata.category(char)[0] in "LNPS" for char in text)
    return text if has_ink else ""
