"""What an answer of amoCRM means: one closed table.

Sources: amocrm.ru/developers, "Справочник ошибок и ответов API"; Kommo's developer pages for
the JSON form of 429; the rows that no page documents were seen on live accounts.
"""

from __future__ import annotations

import re
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

LEAD_DELETED = 226
MOST_WORDS = 300  # characters of what amoCRM says that go into an error
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Answer:
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
    def words(self) -> str:
        """amoCRM's own words, or the beginning of what else came back, on one line."""
        said = ""
        if isinstance(self.body, Mapping):
            parts = [self.body.get(key) for key in ("title", "detail", "hint")]
            said = ": ".join(str(part) for part in parts if part)
        return one_line(said or self.text)[:MOST_WORDS]


def one_line(text: str) -> str:
    """``text`` on one line, without what a log or a database does not take: control characters,
    halves of characters."""
    return " ".join(_UNSTORABLE.sub(" ", text).split())


class Meaning(Enum):
    """What to do about an answer that is not a success."""

    TRY_AGAIN = auto()  # a read: retry; a write: its outcome is unknown
    NOT_DONE = auto()  # surely nothing happened: retry
    HOLD = auto()  # 429: everybody waits a moment
    PAUSE = auto()  # account-wide trouble: everybody waits for a probe
    INVALID = auto()  # validation errors: our data
    GONE = auto()  # the lead was deleted
    REFUSED = auto()  # will never be accepted


@dataclass(frozen=True)
class Row:
    """``status`` and ``when`` select; the first row that fits counts."""

    status: range
    when: Callable[[Answer], bool]
    meaning: Meaning
    kind: str
    means: str


def _exactly(status: int) -> range:
    return range(status, status + 1)


def _always(_: Answer) -> bool:
    return True


def _is_json(answer: Answer) -> bool:
    return answer.is_json


def _is_validation(answer: Answer) -> bool:
    return isinstance(answer.body, Mapping) and "validation-errors" in answer.body


def _is_bad_stage(answer: Answer) -> bool:
    return _is_validation(answer) and any(
        problem.path.rpartition(".")[2] in ("pipeline_id", "status_id")
        for problem in problems(answer)
    )


def _is_deleted_lead(answer: Answer) -> bool:
    errors = answer.body.get("errors") if isinstance(answer.body, Mapping) else None
    return any(str(error.get("code")) == str(LEAD_DELETED) for error in _mappings(errors))


def _mappings(rows: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in ``rows``, whatever else it may be or hold."""
    if isinstance(rows, list):
        yield from (row for row in rows if isinstance(row, Mapping))


TABLE: tuple[Row, ...] = (
    Row(
        _exactly(400),
        _is_bad_stage,
        Meaning.PAUSE,
        "stage",
        "amoCRM does not know the configured pipeline or stage",
    ),
    Row(_exactly(400), _is_validation, Meaning.INVALID, "invalid", "amoCRM rejects our data"),
    Row(_exactly(400), _is_deleted_lead, Meaning.GONE, "deleted", "the lead was deleted"),
    Row(_exactly(400), _always, Meaning.TRY_AGAIN, "system", "amoCRM asks to repeat"),
    Row(
        _exactly(401),
        _always,
        Meaning.PAUSE,
        "token",
        "amoCRM refuses the access token (expired or revoked)",
    ),
    Row(_exactly(402), _always, Meaning.PAUSE, "unpaid", "the amoCRM account is not paid for"),
    Row(
        _exactly(403),
        _is_json,
        Meaning.PAUSE,
        "scope",
        "the integration has no right to do this",
    ),
    Row(
        _exactly(403),
        _always,
        Meaning.PAUSE,
        "blocked",
        "amoCRM has blocked us for exceeding its limits",
    ),
    Row(_exactly(404), _is_json, Meaning.REFUSED, "missing", "amoCRM knows no such thing"),
    Row(_exactly(404), _always, Meaning.NOT_DONE, "router", "amoCRM's router lost the call"),
    Row(_exactly(405), _always, Meaning.REFUSED, "method", "amoCRM refuses the method"),
    Row(_exactly(413), _always, Meaning.REFUSED, "size", "the request is too large"),
    Row(_exactly(415), _always, Meaning.REFUSED, "type", "amoCRM refuses the content type"),
    Row(_exactly(422), _always, Meaning.REFUSED, "batch", "amoCRM cannot process the request"),
    Row(_exactly(429), _always, Meaning.HOLD, "rate", "too many requests"),
    Row(range(300, 600), _always, Meaning.TRY_AGAIN, "server", "amoCRM answered with an error"),
)


def problems(answer: Answer) -> tuple[Problem, ...]:
    """The rows of ``validation-errors``; whatever is missing in them is empty."""
    return tuple(
        Problem(
            path=one_line(str(error.get("path", ""))),
            code=one_line(str(error.get("code", ""))),
            detail=one_line(str(error.get("detail", ""))),
        )
        for group in _mappings(answer.body.get("validation-errors"))
        for error in _mappings(group.get("errors"))
    )


def meaning_of(answer: Answer) -> Row | None:
    """The row of the table that fits (the last one fits anything), ``None`` for a success."""
    if 200 <= answer.status < 300:
        return None
    return next(
        (row for row in TABLE if answer.status in row.status and row.when(answer)), TABLE[-1]
    )


def error_of(row: Row, answer: Answer, *, is_write: bool) -> AmoError:
    """What to raise for this answer. ``HOLD`` and ``PAUSE`` concern the whole account, which
    the caller has to tell."""
    message = f"{row.means}: {answer.status} {answer.words}".rstrip(": ")
    error: AmoError
    match row.meaning:
        case Meaning.INVALID:
            found = problems(answer)
            listed = "; ".join(map(str, found)) or answer.words
            error = Rejected(f"{row.means}: {listed}", problems=found)
        case Meaning.PAUSE:
            listed = "; ".join(map(str, problems(answer))) if row.kind == "stage" else ""
            error = AccountPaused(f"{row.means}: {listed}" if listed else message)
        case Meaning.HOLD:
            error = RateLimited(message)
        case Meaning.GONE:
            error = LeadGone(message)
        case Meaning.REFUSED:
            error = Refused(message)
        case Meaning.NOT_DONE:
            error = NotDone(message)
        case Meaning.TRY_AGAIN:
            error = OutcomeUnknown(message) if is_write else RetryLater(message)
    return error.seen_in(status=answer.status, request_id=answer.request_id, words=answer.words)
