"""Rules that make chosen requests go wrong, and the late writes they leave behind."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from amocrm.sandbox.api.request import Request

ACTIONS = frozenset(
    {
        "lose_answer",
        "reset",
        "apply_late",
        "delay",
        "delay_answer",
        "trickle",
        "answer",
        "commit_then_answer",
    }
)


@dataclass
class Rule:
    """Which requests go wrong, and how.

    ``path`` is a regular expression for the whole path, ``query_has`` and ``body_has`` for
    a part of the query and the request body. The first ``skip`` matching requests are let
    through, then ``times`` of them are hit (-1: all), each with ``probability``.

    Whatever carries out a batch carries out its first ``part`` only: from 0 to 1, rounded
    down to whole rows; an object is a batch of one.

    ``action``: ``lose_answer`` carries the request out and closes without a byte;
    ``reset`` resets the connection (carrying it out first if ``commit``); ``apply_late``
    carries it out ``delay`` seconds later, closing now, or then if ``hold``; ``delay``
    waits before handling, ``delay_answer`` after; ``trickle`` sends one byte every
    ``delay`` seconds; ``answer`` sends ``status``, ``body`` (text or JSON),
    ``content_type`` and ``headers`` instead (without a ``body``, a 5xx is nginx's page);
    ``commit_then_answer`` after carrying it out.

    A batch that was saved in part: ``commit_then_answer`` with ``part`` and ``status`` 504.
    """

    action: str
    method: str = "*"
    path: str = ".*"
    query_has: str = ""
    body_has: str = ""
    times: int = 1
    skip: int = 0
    probability: float = 1.0
    delay: float = 0.0
    part: float = 1.0
    status: int = 500
    body: Any = None
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hold: bool = False
    commit: bool = False
    id: int = 0
    seen: int = 0
    hits: int = 0

    def matches(self, request: Request) -> bool:
        """Whether this is about such a request at all."""
        return (
            self.method in ("*", request.method)
            and re.fullmatch(self.path, request.path) is not None
            and re.search(self.query_has, request.raw_query) is not None
            and re.search(self.body_has, request.body.decode("utf-8", "replace")) is not None
        )

    def part_of(self, request: Request) -> Request:
        """The request, or what of it is carried out."""
        if self.part >= 1:
            return request
        rows = request.rows
        # 0.58 * 50 is a little less than 29.
        return request.with_rows(rows[: int(self.part * len(rows) + 1e-9)])

    def as_json(self) -> dict[str, Any]:
        """The rule with its counts."""
        return asdict(self)


_KINDS: dict[str, tuple[type, ...]] = {
    "action": (str,),
    "method": (str,),
    "path": (str,),
    "query_has": (str,),
    "body_has": (str,),
    "times": (int,),
    "skip": (int,),
    "probability": (int, float),
    "delay": (int, float),
    "part": (int, float),
    "status": (int,),
    "body": (object,),
    "content_type": (str,),
    "headers": (dict,),
    "hold": (bool,),
    "commit": (bool,),
}


def rule_from(payload: dict[str, Any]) -> Rule:
    """A rule as described by JSON. Raises :class:`ValueError` with a sentence."""
    for key, value in payload.items():
        if key not in _KINDS:
            raise ValueError(f"A fault has no {key!r}. Known: {', '.join(_KINDS)}.")
        if not isinstance(value, _KINDS[key]):
            raise ValueError(f"{key} of a fault cannot be {value!r}.")
    if payload.get("action") not in ACTIONS:
        raise ValueError(
            f"action is one of {', '.join(sorted(ACTIONS))}, not {payload.get('action')!r}."
        )
    for key in ("path", "query_has", "body_has"):
        try:
            re.compile(payload.get(key, ""))
        except re.error as error:
            raise ValueError(f"{key} is no regular expression: {error}.") from None
    if not 0 <= payload.get("part", 1) <= 1:
        raise ValueError(f"part of a fault is from 0 to 1, not {payload['part']!r}.")
    known = {one.name for one in fields(Rule)}
    return Rule(**{key: value for key, value in payload.items() if key in known})


class Faults:
    """The rules in force, in the order they were added; the first that fires wins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._next_id = 1
        self._random = random.Random(0)  # noqa: S311 - repeatable on purpose

    def seed(self, seed: int) -> None:
        """Start the random numbers of ``probability`` anew."""
        with self._lock:
            self._random.seed(seed)

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force and give it its id."""
        with self._lock:
            rule.id = self._next_id
            self._next_id += 1
            self._rules.append(rule)
        return rule

    def clear(self, rule_id: int | None = None) -> int:
        """Remove one rule or all of them; how many were removed."""
        with self._lock:
            kept = [one for one in self._rules if rule_id is not None and one.id != rule_id]
            removed = len(self._rules) - len(kept)
            self._rules = kept
        return removed

    def all(self) -> list[dict[str, Any]]:
        """Every rule with its counts."""
        with self._lock:
            return [one.as_json() for one in self._rules]

    def pick(self, request: Request) -> Rule | None:
        """The rule that spoils this request, or ``None``."""
        with self._lock:
            for rule in self._rules:
                if 0 <= rule.times <= rule.hits or not rule.matches(request):
                    continue
                rule.seen += 1
                if rule.seen <= rule.skip or self._random.random() >= rule.probability:
                    continue
                rule.hits += 1
                return rule
        return None


class LateWrites:
    """Requests that are carried out after their sender was sent away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[threading.Timer, Callable[[], object]] = {}

    def add(self, delay: float, write: Callable[[], object]) -> None:
        """Call ``write`` once, after ``delay`` seconds or when :meth:`apply_now` is called."""
        timer = threading.Timer(delay, lambda: self._run(timer))
        timer.daemon = True
        with self._lock:
            self._pending[timer] = write
        timer.start()

    def _run(self, timer: threading.Timer) -> None:
        with self._lock:
            write = self._pending.pop(timer, None)
        if write is not None:
            write()

    def apply_now(self) -> int:
        """Carry out everything that waits; how many there were."""
        with self._lock:
            waiting = list(self._pending)
        for timer in waiting:
            timer.cancel()
            self._run(timer)
        return len(waiting)

    def drop(self) -> None:
        """Forget everything that waits."""
        with self._lock:
            for timer in self._pending:
                timer.cancel()
            self._pending.clear()

    def __len__(self) -> int:
        return len(self._pending)
