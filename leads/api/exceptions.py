"""Errors of the JSON API, all in one form: ``{"success": false, "error": …, "fields": …}``."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, Throttled, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler as default_handler

logger = logging.getLogger(__name__)


class IdempotencyKeyReused(APIException):
    """422: the key belongs to a submission with another body."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("This Idempotency-Key was already used with another body.")


class LengthRequired(APIException):
    """411: a body in chunks that the server has not joined. Ours joins them, unless the sender
    speaks HTTP/1.0; Django would take it for an empty one."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = _("Send the form with a Content-Length, not in chunks.")


class NoSuchForm(APIException):
    """404: nobody has made a form of this address, or it was switched off."""

    status_code = status.HTTP_404_NOT_FOUND
    default_detail = _("There is no such form any more.")

    def __init__(self, slug: str) -> None:
        super().__init__()
        self.slug = slug


class TooManyRequests(Throttled):
    """429: ``wait`` seconds from now is soon enough."""

    def __init__(self, wait: float) -> None:
        message = _("Too many requests. Try again in %(seconds)d s.") % {"seconds": wait}
        super().__init__(detail=message)
        self.wait = wait  # becomes Retry-After


class TooManyForms(Throttled):
    """429: the form names somebody whom as many forms have named as may. ``wait`` in seconds."""

    def __init__(self, wait: int) -> None:
        minutes = math.ceil(wait / 60)
        message = _("Too many forms with this e-mail or phone. Try again in %(minutes)d min.")
        super().__init__(detail=message % {"minutes": minutes})
        self.wait = wait  # becomes Retry-After


class Unavailable(APIException):
    """503: the database does not answer."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("The service is temporarily unavailable. Try again in a minute.")


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """The JSON answer for ``exc``; ``None`` where only a bug can have raised it."""
    if isinstance(exc, OperationalError | InterfaceError):
        logger.error("The database does not answer: %s", exc, exc_info=exc)
        exc = Unavailable()
    response = default_handler(exc, context)
    if response is None:
        return None
    details = response.data
    if isinstance(details, dict) and set(details) == {"detail"}:
        details = details["detail"]
    body: dict[str, Any] = {"success": False, "error": next(_messages(details), "")}
    if isinstance(exc, ValidationError) and isinstance(details, dict):
        body["fields"] = {field: list(_messages(inner)) for field, inner in details.items()}
    response.data = body
    if response.status_code == status.HTTP_503_SERVICE_UNAVAILABLE:
        response["Retry-After"] = "60"
    return response


def _messages(details: Any) -> Iterator[str]:
    if isinstance(details, dict):
        for inner in details.values():
            yield from _messages(inner)
    elif isinstance(details, list | tuple):
        for inner in details:
            yield from _messages(inner)
    else:
        yield str(details)
