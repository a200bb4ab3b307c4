"""Texts without what nobody can read and some stores refuse.

A text that is refused or kept as typed may hold direction marks: a phone copied out of an address
book comes with some. One that we write ourselves, to a log, a page or a note, holds none.
"""

from __future__ import annotations

import re

# Control characters, line and paragraph separators, halves of surrogate pairs.
_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
# Marks of direction and other invisible ones. Not the joiners of emoji, nor the soft hyphen.
_INVISIBLE = "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"

_CONTROLS = re.compile(f"[{_CONTROL}]")
_UNREADABLE = re.compile(f"[{_CONTROL}{_INVISIBLE}]")
_UNREADABLE_IN_LINES = re.compile(f"(?![\n\t])[{_CONTROL}{_INVISIBLE}]")
_LINE_ENDS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_VISIBLE_ASCII = re.compile("[!-~]+")
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def is_printable(text: str, *, lines: bool = False) -> bool:
    """Whether ``text`` holds no control character; ``lines`` allows line breaks and tabs."""
    allowed = "\n\r\t" if lines else ""
    return all(found in allowed for found in _CONTROLS.findall(text))


def is_visible_ascii(text: str) -> bool:
    """Whether ``text`` can stand in an HTTP header as it is: no blanks, and not empty."""
    return _VISIBLE_ASCII.fullmatch(text) is not None


def readable(text: str) -> str:
    """``text`` with a blank for each unreadable character; all of its lines end with \\n."""
    return _UNREADABLE_IN_LINES.sub(" ", _LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """``text`` on one line, without unreadable characters, one blank between words."""
    return " ".join(_UNREADABLE.sub(" ", text).split())


def escaped(text: str) -> str:
    """``text`` on one line with each unreadable character spelled out, such as ``\\u202e``."""
    return _UNREADABLE.sub(_escape, text)


def shortened(text: str, longest: int) -> str:
    """``text``, its end replaced by an ellipsis where it has more than ``longest`` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"
