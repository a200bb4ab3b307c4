"""What the CRM does to us: every kind is a rule of the sandbox that hits real requests."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos.scale import Scale

Rule = dict[str, Any]

CREATE: Rule = {"method": "POST", "path": "/api/v4/leads/complex"}
# Of one lead or contact, or of many.
UPDATE: Rule = {"method": "PATCH", "path": r"/api/v4/(leads|contacts)(/\d+)?"}
NOTE: Rule = {"method": "POST", "path": r"/api/v4/leads/(\d+/)?notes"}
SEARCH: Rule = {"method": "GET", "path": "/api/v4/contacts", "query_has": "query="}
WRITE: Rule = {"method": "POST", "path": "/api/v4/leads/.*"}
ANY: Rule = {"path": "/api/v4/(leads|contacts).*"}

_NGINX = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body></html>"
)
_UNPAID = {"title": "Payment Required", "status": 402, "detail": "Account is not paid"}


@dataclass(frozen=True)
class CrmFault:
    """``rule`` makes the sandbox's rule; one rule is one fault, however often it hits.

    ``weight``: how often this kind is chosen beside the others.
    """

    name: str
    weight: int
    rule: Callable[[random.Random, Scale], Rule]


def html(status: int, title: str) -> Rule:
    """An answer of the server in front of amoCRM."""
    return {"action": "answer", "status": status, "body": _NGINX.format(f"{status} {title}")}


def _late(where: Rule) -> Callable[[random.Random, Scale], Rule]:
    def rule(chance: random.Random, scale: Scale) -> Rule:
        delay = chance.uniform(0.3, 2 * scale.timeout)
        return {**where, "action": "apply_late", "delay": delay, "hold": chance.random() < 0.3}

    return rule


_HALF: Rule = {**html(504, "Gateway Time-out"), "action": "commit_then_answer", "part": 0.5}


def _always(**rule: Any) -> Callable[[random.Random, Scale], Rule]:
    return lambda chance, scale: dict(rule)


CRM_FAULTS: tuple[CrmFault, ...] = (
    CrmFault("create: answer lost", 8, _always(**CREATE, action="lose_answer")),
    CrmFault("update: answer lost", 5, _always(**UPDATE, action="lose_answer")),
    CrmFault("note: answer lost", 8, _always(**NOTE, action="lose_answer")),
    CrmFault("create: carried out late", 6, _late(CREATE)),
    CrmFault("note: carried out late", 5, _late(NOTE)),
    CrmFault("reset after it was done", 4, _always(**WRITE, action="reset", commit=True)),
    CrmFault("reset before anything", 4, _always(**ANY, action="reset")),
    CrmFault(
        "502/504 HTML storm",
        4,
        lambda chance, scale: {
            **ANY,
            **(
                html(502, "Bad Gateway") if chance.random() < 0.5 else html(504, "Gateway Time-out")
            ),
            "times": chance.randint(3, 12),
        },
    ),
    CrmFault(
        "504 HTML after it was done",
        5,
        _always(**{**html(504, "Gateway Time-out"), **WRITE, "action": "commit_then_answer"}),
    ),
    CrmFault(
        "answer trickles",
        4,
        lambda chance, scale: {**ANY, "action": "trickle", "delay": scale.timeout / 20},
    ),
    CrmFault(
        "answer after we gave up",
        4,
        lambda chance, scale: {**ANY, "action": "delay_answer", "delay": 1.5 * scale.timeout},
    ),
    CrmFault(
        "carried out after we gave up",
        4,
        lambda chance, scale: {**WRITE, "action": "delay", "delay": 1.5 * scale.timeout},
    ),
    CrmFault("create: half is done, then 504", 4, _always(**_HALF, **CREATE)),
    CrmFault("note: half is done, then 504", 4, _always(**_HALF, **NOTE)),
    CrmFault(
        "create: half is done, and no word of the rest",
        3,
        _always(**CREATE, action="delay_answer", delay=0.01, part=0.5),
    ),
    CrmFault("429 HTML", 2, _always(**ANY, **html(429, "Too Many Requests"))),
    CrmFault("403 HTML block", 1, _always(**ANY, **html(403, "Forbidden"), times=3)),
    CrmFault(
        "402 flapping",
        1,
        _always(**ANY, action="answer", status=402, body=_UNPAID, times=3, probability=0.5),
    ),
)
