"""Serializer fields that take what a browser form can mean, and nothing else."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from amocrm.text.printable import is_printable

_MESSAGES: dict[str, Any] = {
    "invalid": _("The value has a wrong type."),
    "too_deep": _("The value is nested too deeply."),
    "too_big": _("The value is too big."),
    "unprintable": _("Control characters are not allowed."),
}


class TextField(serializers.CharField):
    """A string on one line, trimmed. Numbers are not strings here; ``null`` is an empty one."""

    default_error_messages = _MESSAGES

    def __init__(self, **kwargs: Any) -> None:
        if not kwargs.get("required", True):
            kwargs.setdefault("allow_blank", True)
            kwargs.setdefault("allow_null", True)
        super().__init__(**kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Validate, with a missing optional value becoming an empty string."""
        value = super().run_validation(data)
        return "" if value is None else value

    def to_internal_value(self, data: Any) -> str:
        """The trimmed text."""
        if not isinstance(data, str):
            self.fail("invalid")
        value = super().to_internal_value(data)
        if not is_printable(value):
            self.fail("unprintable")
        return value


class BoundedJSONField(serializers.Field[Any, Any, Any, Any]):
    """Any JSON of the given types, as long as its depth, its size and its texts are bounded."""

    max_depth = 5
    max_values = 2000
    max_key = 255
    max_text = 8000
    max_number = 10**18

    default_error_messages = _MESSAGES

    def __init__(self, *, types: tuple[type, ...], **kwargs: Any) -> None:
        if not kwargs.get("required", True):
            kwargs.setdefault("allow_null", True)
        super().__init__(**kwargs)
        self.types = types

    def to_internal_value(self, data: Any) -> Any:
        """``data`` itself, once it has been looked through."""
        # A bool is an int to Python, but not to whoever wrote the form.
        if not isinstance(data, self.types) or (isinstance(data, bool) and bool not in self.types):
            self.fail("invalid")
        self._count = 0
        self._check(data, depth=0)
        return data

    def _check(self, value: Any, *, depth: int) -> None:
        self._count += 1
        if self._count > self.max_values:
            self.fail("too_big")
        if depth > self.max_depth:
            self.fail("too_deep")
        if isinstance(value, dict):
            for key, inner in value.items():
                self._check_text(key, self.max_key, lines=False)
                self._check(inner, depth=depth + 1)
        elif isinstance(value, list):
            for inner in value:
                self._check(inner, depth=depth + 1)
        elif isinstance(value, str):
            self._check_text(value, self.max_text, lines=True)
        elif isinstance(value, (int, float)) and not self._is_bounded(value):
            self.fail("too_big")

    def _check_text(self, text: str, limit: int, *, lines: bool) -> None:
        if len(text) > limit:
            self.fail("too_big")
        if not is_printable(text, lines=lines):
            self.fail("unprintable")

    def _is_bounded(self, number: int | float) -> bool:
        # Compared before anything makes a float of it: the biggest of those has 309 digits.
        return abs(number) <= self.max_number  # NaN is smaller than nothing


class UtmField(BoundedJSONField):
    """``{"utm_source": "…", …}``: texts, or numbers that become texts; empty ones are dropped."""

    max_depth = 1
    max_values = 50
    max_text = 2000

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(types=(dict,), **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Lower-case keys to trimmed texts."""
        super().to_internal_value(data)
        texts: dict[str, str] = {}
        for key, value in data.items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                self.fail("invalid")
            text = " ".join(str(value).split())
            if text:
                texts[key.strip().lower()] = text
        return texts
