"""What an answer of amoCRM means: one closed table.

Sources: amocrm.ru/developers, "Справочник ошибок и ответов API"; Kommo's developer pages for
the JSON form of 429; the rows that no page documents were seen on live accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from amocrm.errors import (
    AccountPaused,
    AmoError,
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
LONGEST_MESSAGE = 300  # characters of what amoCRM says that go into an error


@dataclass(frozen=True)
class ApiResponse:
    """One answer as received.

    ``body`` is ``None`` where it is empty or not JSON; ``text`` is how it begins, without the
    tags of HTML.
    """

    status: int
    body: Any
    text: str
    request_id: str
    retry_after: float | None = None

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
    INVALID = auto()  # validation errors: our data
    GONE = auto()  # the lead was deleted
    REFUSED = auto()  # will never be accepted


@dataclass(frozen=True)
class ResponseRule:
    """``status`` and ``when`` select; the first row that fits counts."""

    status: range
    when: Callable[[ApiResponse], bool]
    meaning: Meaning
    kind: str
    means: str


def _exactly(status: int) -> range:
    return range(status, status + 1)


def _always(_: ApiResponse) -> bool:
    return True


def _is_json(response: ApiResponse) -> bool:
    return response.is_json


def _is_validation(response: ApiResponse) -> bool:
    return isinstance(response.body, Mapping) and "validation-errors" in response.body


def _is_bad_stage(response: ApiResponse) -> bool:
    return _is_validation(response) and any(
        problem.path.rpartition(".")[2] in ("pipeline_id", "status_id")
        for problem in problems(response)
    )


def _is_deleted_lead(response: ApiResponse) -> bool:
    errors = response.body.get("errors") if isinstance(response.body, Mapping) else None
    return any(str(error.get("code")) == str(LEAD_DELETED) for error in _mappings(errors))


def _mappings(rows: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in ``rows``, whatever else it may be or hold."""
    if isinstance(rows, list):
        yield from (row for row in rows if isinstance(row, Mapping))


RULES: tuple[ResponseRule, ...] = (
    ResponseRule(
        _exactly(400),
        _is_bad_stage,
        Meaning.PAUSE,
        "stage",
        "amoCRM does not know the configured pipeline or stage",
    ),
    ResponseRule(
        _exactly(400), _is_validation, Meaning.INVALID, "invalid", "amoCRM rejects our data"
    ),
    ResponseRule(_exactly(400), _is_deleted_lead, Meaning.GONE, "deleted", "the lead was deleted"),
    ResponseRule(_exactly(400), _always, Meaning.TRY_AGAIN, "system", "amoCRM asks to repeat"),
    ResponseRule(
        _exactly(401),
        _always,
        Meaning.PAUSE,
        "token",
        "amoCRM refuses the access token (expired or revoked)",
    ),
    ResponseRule(
        _exactly(402), _always, Meaning.PAUSE, "unpaid", "the amoCRM account is not paid for"
    ),
    ResponseRule(
        _exactly(403),
        _is_json,
        Meaning.PAUSE,
        "scope",
        "the integration has no right to do this",
    ),
    ResponseRule(
        _exactly(403),
        _always,
        Meaning.PAUSE,
        "blocked",
        "amoCRM has blocked us for exceeding its limits",
    ),
    ResponseRule(_exactly(404), _is_json, Meaning.REFUSED, "missing", "amoCRM knows no such thing"),
    ResponseRule(
        _exactly(404), _always, Meaning.NOT_DONE, "router", "amoCRM's router lost the call"
    ),
    ResponseRule(_exactly(405), _always, Meaning.REFUSED, "method", "amoCRM refuses the method"),
    ResponseRule(_exactly(413), _always, Meaning.REFUSED, "size", "the request is too large"),
    ResponseRule(
        _exactly(415), _always, Meaning.REFUSED, "type", "amoCRM refuses the content type"
    ),
    ResponseRule(
        _exactly(422), _always, Meaning.REFUSED, "batch", "amoCRM cannot process the request"
    ),
    ResponseRule(_exactly(429), _always, Meaning.BACKOFF, "rate", "too many requests"),
    ResponseRule(
        range(300, 600), _always, Meaning.TRY_AGAIN, "server", "amoCRM answered with an error"
    ),
)


def problems(response: ApiResponse) -> tuple[Problem, ...]:
    """The rows of ``validation-errors``; whatever is missing in them is empty."""
    return tuple(
        Problem(
            path=one_line(str(error.get("path", ""))),
            code=one_line(str(error.get("code", ""))),
            detail=one_line(str(error.get("detail", ""))),
        )
        for group in _mappings(response.body.get("validation-errors"))
        for error in _mappings(group.get("errors"))
    )


def rule_for(response: ApiResponse) -> ResponseRule | None:
    """The row of the table that fits (the last one fits anything), ``None`` for a success."""
    if 200 <= response.status < 300:
        return None
    return next(
        (row for row in RULES if response.status in row.status and row.when(response)), RULES[-1]
    )


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
        case Meaning.PAUSE:
            listed = "; ".join(map(str, problems(response))) if row.kind == "stage" else ""
            error = AccountPaused(f"{row.means}: {listed}" if listed else message)
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
