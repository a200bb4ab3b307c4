"""Pairs of names and values as the object they mean: ``a[b]=1``, ``a[]=1``, ``a=1&a=2``.

PHP writes nested values like that, and after it every builder of forms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

#: A name with more brackets is taken as it stands.
MAX_BRACKETS = 8

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The object; what is given several times is a list, and so is what has numbers from 0 on."""
    whole: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = _path(name)
        place = whole
        for step in path:
            inner = place.setdefault(step or str(len(place)), {})
            if not isinstance(inner, dict):  # ``a=1&a[b]=2``
                inner = place[step] = {"": inner}
            place = inner
        _put(place, last or str(len(place)), value)
    return {name: _with_lists(value) for name, value in whole.items()}


def _path(name: str) -> list[str]:
    found = _NAME.fullmatch(name)
    steps = [step.strip() for step in _BRACKET.findall(found[2])] if found else []
    return [found[1], *steps] if found and len(steps) <= MAX_BRACKETS else [name]


def _put(place: dict[str, Any], name: str, value: str) -> None:
    before = place.get(name)
    if before is None:
        place[name] = value
    elif isinstance(before, dict):  # ``a[b]=1&a=2``
        _put(before, "", value)
    elif isinstance(before, list):
        before.append(value)
    else:
        place[name] = [before, value]


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(one) for name, one in value.items()}
    is_list = list(inner) == [str(number) for number in range(len(inner))]
    return list(inner.values()) if is_list else inner
