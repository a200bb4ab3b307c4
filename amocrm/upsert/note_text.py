"""Texts of people, fit for a note: in parts of a size that amoCRM takes, plainer if need be."""

from __future__ import annotations

import re

import regex

_UNUSUAL = re.compile(
    "[^\\n\\t\x20-\x7e\u00a0-\u04ff\u2010-\u2027\u2030-\u203a\u20a0-\u20bf\u2116]"
)
_CHARACTER = regex.compile(r"\X")


def plain(text: str) -> str:
    """``text`` with letters, digits and usual signs only, each of the others a question mark."""
    return _UNUSUAL.sub("?", text)


def split(text: str, longest: int) -> list[str]:
    """``text`` in parts of at most ``longest`` characters, which joined are the text again.

    At line ends where there are any, else between words, else between characters as people
    see them (Unicode Standard Annex 29: an accent, a flag, the pieces of an emoji stay together).
    """
    parts, rest = [], text
    while len(rest) > longest:
        cut = _place_to_cut(rest, longest)
        parts.append(rest[:cut])
        rest = rest[cut:]
    return [*parts, rest]


def _place_to_cut(text: str, longest: int) -> int:
    earliest = longest // 2
    for sign in "\n ":
        if (found := text.rfind(sign, earliest, longest)) >= 0:
            return found + 1
    ends = (character.end() for character in _CHARACTER.finditer(text[: longest + 1]))
    cut = max((end for end in ends if end <= longest), default=0)
    return cut if cut > earliest else longest
