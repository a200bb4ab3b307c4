"""What an endpoint gives back, and amoCRM's ways of saying no.

Shapes: amocrm.ru/developers → Справочник ошибок и ответов API, and the bodies that live
accounts were seen to send.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from amocrm.sandbox.account.model import Json

HAL = "application/hal+json"
PROBLEM = "application/problem+json"
HTML = "text/html"


@dataclass
class Answer:
    """A whole HTTP answer; ``body`` is ready to send."""

    status: int
    body: bytes = b""
    content_type: str = HAL
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Raised by an endpoint to answer with an error; carries the :class:`Answer`.

    ``named`` has the request ids of the rows that validation errors are about.
    """

    def __init__(self, answer: Answer, *, named: Collection[str] = ()) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.named = frozenset(named)


def as_json(status: int, body: Any, *, content_type: str = HAL) -> Answer:
    """``body`` as JSON."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Answer(status, text.encode(), content_type)


def nothing() -> Answer:
    """204: amoCRM's "not found", for lists and for one entity alike."""
    return Answer(204)


def problem(status: int, title: str, detail: str, **extra: Any) -> Answer:
    """An error in amoCRM's form."""
    body: Json = {
        **extra,
        "title": title,
        "type": f"https://httpstatus.es/{status}",
        "status": status,
        "detail": detail,
    }
    return as_json(status, body, content_type=PROBLEM)


def unauthorized() -> Answer:
    """401 for a missing, expired or revoked token."""
    body = {"title": "Unauthorized", "status": 401, "detail": "Неверный логин или пароль"}
    return as_json(401, body, content_type=PROBLEM)


def not_found() -> Answer:
    """404 in JSON: no such method."""
    return problem(404, "Not Found", "Cannot find the requested resource")


def method_not_allowed() -> Answer:
    """405: the path exists, the method does not."""
    return problem(405, "Method Not Allowed", "Method is not allowed for this resource")


def bad_body(detail: str = "Invalid request body") -> Answer:
    """400 without ``validation-errors``: the body is not what the method takes at all."""
    return problem(400, "Bad Request", detail)


def too_many(limit: int) -> Answer:
    """422: more entities in one request than allowed."""
    return problem(422, "Unprocessable Entity", f"Limit {limit} per page")


def lead_deleted(lead_id: int) -> Answer:
    """400 with ``errors[0].code`` 226: the lead is in the bin."""
    errors = [{"code": 226, "detail": "Lead is deleted", "id": lead_id}]
    return problem(400, "Bad Request", "Invalid request body", errors=errors)


def invalid(errors: dict[str, list[Json]]) -> Answer:
    """400 with ``validation-errors``, by request id."""
    rows = [{"request_id": request_id, "errors": found} for request_id, found in errors.items()]
    return problem(400, "Bad Request", "Request validation failed", **{"validation-errors": rows})


def phrase_of(status: int) -> str:
    """What a status is called."""
    return next((one.phrase for one in HTTPStatus if one == status), "Unknown")


def nginx_page(status: int) -> Answer:
    """The page of nginx, which stands before amoCRM."""
    title = f"{status} {phrase_of(status)}"
    text = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return Answer(status, text.encode(), HTML)


def throttled(*, form: str, retry_after: int) -> Answer:
    """429 as amocrm.ru (``html``) or Kommo (``json``, pause in seconds in the body) sends it."""
    if form == "json":
        return problem(429, "Too Many Requests", "Request limit exceeded", retry_after=retry_after)
    return nginx_page(429)


def blocked() -> Answer:
    """403 for everything, after too many 429."""
    return nginx_page(403)
