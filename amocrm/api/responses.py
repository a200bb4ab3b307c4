"""What an answer of amoCRM means: one closed table.

Sources: amocrm.ru/developers, "Справочник ошибок и ответов API"; Kommo's developer pages for
the JSON form of 429; the rows that no page documents were seen on live accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

from amocrm.api import crm_clock
from amocrm.errors import (
    AccountPaused,
    AmoError,
    Forbidden,
    LeadGone,
    NotDone,
    OutcomeUnknown,
    Problem,
    RateLimited,
    Refused,
    Rejected,
    RetryLater,
)
from amocrm.text.printable import one_line

LEAD_DELETED = 226
ANY_ERROR = 0
LONGEST_MESSAGE = 300  # characters of what amoCRM says that go into an error


@dataclass(frozen=True)
class ApiResponse:
    """One answer as received.

    ``body`` is ``None`` where it is empty or not JSON; ``text`` is how it begins, without the
    tags of HTML. ``asked_at`` is when the call began at the latest, by amoCRM's clock.
    """

    status: int
    body: Any
    text: str
    request_id: str
    retry_after: float | None = None
    asked_at: datetime = field(default_factory=crm_clock.surely_past)

    @property
    def is_json(self) -> bool:
        """Whether amoCRM's API answered, rather than a server in front of it."""
        return isinstance(self.body, dict | list)

    @property
    def message(self) -> str:
        """amoCRM's own words, or the beginning of what else came back, on one line."""
        said = ""
        if isinstance(self.body, Mapping):
            parts = [self.body.get(key) for key in ("title", "detail", "hint")]
            said = ": ".join(str(part) for part in parts if part)
        return one_line(said or self.text)[:LONGEST_MESSAGE]


class Meaning(Enum):
    """What to do about an answer that is not a success."""

    TRY_AGAIN = auto()  # a read: retry; a write: its outcome is unknown
    NOT_DONE = auto()  # surely nothing happened: retry
    BACKOFF = auto()  # 429: everybody waits a moment
    PAUSE = auto()  # account-wide trouble: everybody waits for a probe
    FORBIDDEN = auto()  # one lead or contact, unless another one is forbidden, too
    BLOCKED = auto()  # everybody, unless the account answers a probe
    INVALID = auto()  # validation errors: our data
    GONE = auto()  # the lead was deleted
    REFUSED = auto()  # will never be accepted


@dataclass(frozen=True)
class ResponseRule:
    """``status`` (or :data:`ANY_ERROR`) and ``when`` select; the first rule that fits counts."""

    status: int
    when: Callable[[ApiResponse], bool]
    meaning: Meaning
    kind: str
    means: str


def _any(_: ApiResponse) -> bool:
    return True


def _is_json(response: ApiResponse) -> bool:
    return response.is_json


def _is_validation(response: ApiResponse) -> bool:
    return isinstance(response.body, Mapping) and "validation-errors" in response.body


def _is_error_244(response: ApiResponse) -> bool:
    """The user has lost the right to write, or the subscription has ended: seen live for every
    create, for days, as a 400 that is no validation error."""
    return "Код ошибки 244" in response.message


def _is_deleted_lead(response: ApiResponse) -> bool:
    errors = response.body.get("errors") if isinstance(response.body, Mapping) else None
    return any(str(error.get("code")) == str(LEAD_DELETED) for error in _mappings(errors))


def _mappings(rows: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in ``rows``, whatever else it may be or hold."""
    if isinstance(rows, list):
        yield from (row for row in rows if isinstance(row, Mapping))


RULES: tuple[ResponseRule, ...] = (
    ResponseRule(400, _is_validation, Meaning.INVALID, "invalid", "amoCRM rejects our data"),
    ResponseRule(400, _is_deleted_lead, Meaning.GONE, "deleted", "the lead was deleted"),
    ResponseRule(400, _is_error_244, Meaning.PAUSE, "rights", "amoCRM lets nobody write"),
    ResponseRule(400, _any, Meaning.TRY_AGAIN, "system", "amoCRM asks to repeat"),
    ResponseRule(
        401, _any, Meaning.PAUSE, "token", "amoCRM refuses the access token (expired or revoked)"
    ),
    ResponseRule(402, _any, Meaning.PAUSE, "unpaid", "the amoCRM account is not paid for"),
    ResponseRule(403, _is_json, Meaning.FORBIDDEN, "scope", "the integration may not do this"),
    ResponseRule(
        403, _any, Meaning.BLOCKED, "blocked", "amoCRM has blocked us for exceeding its limits"
    ),
    ResponseRule(404, _is_json, Meaning.REFUSED, "missing", "amoCRM knows no such thing"),
    ResponseRule(404, _any, Meaning.NOT_DONE, "router", "amoCRM's router lost the call"),
    ResponseRule(405, _any, Meaning.REFUSED, "method", "amoCRM refuses the method"),
    ResponseRule(413, _any, Meaning.REFUSED, "size", "the request is too large"),
    ResponseRule(415, _any, Meaning.REFUSED, "type", "amoCRM refuses the content type"),
    ResponseRule(422, _any, Meaning.REFUSED, "batch", "amoCRM cannot process the request"),
    ResponseRule(429, _any, Meaning.BACKOFF, "rate", "too many requests"),
    ResponseRule(ANY_ERROR, _any, Meaning.TRY_AGAIN, "server", "amoCRM answered with an error"),
)


def problems(response: ApiResponse) -> tuple[Problem, ...]:
    """The rows of ``validation-errors``; whatever is missing in them is empty."""
    return tuple(
        Problem(
            path=one_line(str(error.get("path", ""))),
            code=one_line(str(error.get("code", ""))),
            detail=one_line(str(error.get("detail", ""))),
            row=_row(group.get("request_id"), str(error.get("path", ""))),
        )
        for group in _mappings(response.body.get("validation-errors"))
        for error in _mappings(group.get("errors"))
    )


def _row(request_id: Any, path: str) -> str:
    if request_id not in (None, ""):
        return one_line(str(request_id))
    number = path.partition(".")[0]
    return number if number.isdecimal() else ""


def rule_for(response: ApiResponse) -> ResponseRule | None:
    """The first rule that fits (the last one fits anything), ``None`` for a success."""
    if 200 <= response.status < 300:
        return None
    fitting = (rule for rule in RULES if rule.status in (response.status, ANY_ERROR))
    return next(rule for rule in fitting if rule.when(response))


def error_for(row: ResponseRule, response: ApiResponse, *, is_write: bool) -> AmoError:
    """What to raise for this answer. ``BACKOFF`` and ``PAUSE`` concern the whole account, which
    the caller has to tell."""
    message = f"{row.means}: {response.status} {response.message}".rstrip(": ")
    error: AmoError
    match row.meaning:
        case Meaning.INVALID:
            found = problems(response)
            listed = "; ".join(map(str, found)) or response.message
            error = Rejected(f"{row.means}: {listed}", problems=found)
        case Meaning.PAUSE | Meaning.BLOCKED:
            error = AccountPaused(message)
        case Meaning.FORBIDDEN:
            error = Forbidden(message)
        case Meaning.BACKOFF:
            error = RateLimited(message)
        case Meaning.GONE:
            error = LeadGone(message)
        case Meaning.REFUSED:
            error = Refused(message)
        case Meaning.NOT_DONE:
            error = NotDone(message)
        case Meaning.TRY_AGAIN:
            error = OutcomeUnknown(message) if is_write else RetryLater(message)
    return error.with_response(
        status=response.status, request_id=response.request_id, crm_message=response.message
    )
