"""Bounded copies of what was sent, and the ways to look into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from leads.api.cleaning import clean_line, clean_lines
from leads.api.parsers import MAX_DEPTH, is_deeper
from leads.remarks import Code


class Copy:
    """Bounded copies of JSON values: what is nested too deeply becomes its text,
    and so do numbers that no database keeps."""

    max_values = 2000
    max_key = 255
    max_text = 8000
    max_number = 10**18

    def __init__(self, remark: Callable[[Code, object], None], *, max_depth: int = 5) -> None:
        self._remark = remark
        self._max_depth = max_depth
        self._count = 0

    def of(self, value: Any, depth: int = 0) -> Any:
        """A copy, cleaned and cut."""
        self._count += 1
        if isinstance(value, dict | list) and depth >= self._max_depth and value:
            return self._text(as_json(value))
        match value:
            case dict():
                pairs = ((clean_line(key)[: self.max_key], one) for key, one in value.items())
                return {key: self.of(one, depth + 1) for key, one in pairs if self._has_room()}
            case list():
                return [self.of(one, depth + 1) for one in value if self._has_room()]
            case str():
                return self._text(value)
            # Compared before anything makes a float of it: the biggest of those has 309 digits.
            case int() | float() if not abs(value) <= self.max_number:
                return self._text(str(value))
        return value

    def _has_room(self) -> bool:
        if self._count < self.max_values:
            return True
        self._remark(Code.TOO_MANY, self.max_values)
        return False

    def _text(self, text: str) -> str:
        text = clean_lines(text)
        if len(text) > self.max_text:
            self._remark(Code.CUT, self.max_text)
        return text[: self.max_text].rstrip()


def from_json(data: Any) -> Any:
    """``data``, parsed where it is a text that is a JSON object or list."""
    if isinstance(data, str) and data.strip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            parsed = json.loads(data)
            return data if is_deeper(parsed, MAX_DEPTH) else parsed
    return data


def as_json(data: Any) -> str:
    """``data`` as it was sent, on one line."""
    return clean_line(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False))


def scalars(data: Any) -> Iterator[str]:
    """The texts and numbers in ``data``, whatever lists and objects they lie in."""
    match data:
        case str():
            yield data
        case bool():
            return
        case float() if data.is_integer():
            yield str(int(data))
        case int() | float():
            yield str(data)
        case list():
            for one in data:
                yield from scalars(one)
        case dict():
            for one in data.values():
                yield from scalars(one)
