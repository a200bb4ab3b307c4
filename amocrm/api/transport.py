"""One request and its answer, over HTTP.

What is known of a call that failed is whether it can have reached amoCRM. What an answer means
is for :mod:`amocrm.api.responses` to say.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3

from amocrm.api import crm_clock
from amocrm.api.deadline import DeadlineAdapter, limited_to
from amocrm.api.responses import ApiResponse
from amocrm.api.tokens import TokenSource
from amocrm.errors import NotDone, OutcomeUnknown, RetryLater

CONNECT_TIMEOUT = 5.0  # seconds
LONGEST_BODY = 16 * 1024 * 1024  # bytes, unpacked: 250 contacts are a hundredth of it
LONGEST_TEXT = 2000  # characters that are kept of a body for people to read
LONGEST_REQUEST_ID = 128
_CHUNK = 64 * 1024
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)

_TAGS = re.compile(r"<(style|script|title)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class _TooLong(Exception):
    pass


class Exchange:
    """Sends requests to one account. Follows no redirect and repeats nothing."""

    def __init__(
        self, *, base_url: str, tokens: TokenSource, session: requests.Session, timeout: float
    ) -> None:
        """``timeout``: seconds for one call, connecting included."""
        self._base_url = base_url
        self._tokens = tokens
        self._session = session
        self._timeout = timeout

    def warm_up(self) -> None:
        """Open a connection if none is open: a request leaves the moment it is sent then.

        Never raises: if there is no connection, the request will say so.
        """
        with limited_to(min(CONNECT_TIMEOUT, self._timeout)), contextlib.suppress(*_FAILURES):
            adapter = self._session.get_adapter(self._base_url)
            if isinstance(adapter, DeadlineAdapter):
                adapter.open_connection(self._base_url, verify=self._session.verify)

    def __call__(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Any
    ) -> ApiResponse:
        """The answer, whatever its status.

        Raises :class:`~amocrm.errors.NotDone` when no connection came about,
        :class:`~amocrm.errors.RetryLater` when a read, and
        :class:`~amocrm.errors.OutcomeUnknown` when a write, was left without a whole answer.
        """
        failure = ""
        answer = None
        with limited_to(self._timeout) as call:
            try:
                answer = self._ask(method, path, params, body)
            except _TooLong:
                failure = f"more than {LONGEST_BODY} bytes"
            except _FAILURES as error:
                # The text of the error may quote the request: only its kind is told.
                failure = type(error).__name__
        if call.is_over:
            failure = f"no whole answer within {self._timeout:g} s"
        if answer is not None and not failure:
            return answer
        what = f"{method} {path}: {failure}"
        if not call.is_connected:
            raise NotDone(f"amoCRM cannot be reached: {what}")
        if method == "GET":
            raise RetryLater(f"amoCRM did not answer: {what}")
        raise OutcomeUnknown(f"amoCRM's answer was lost: {what}")

    def _ask(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Any
    ) -> ApiResponse:
        token = self._tokens.get()
        began = time.monotonic()
        response = self._session.request(
            method,
            f"{self._base_url}/api/v4/{path}",
            params=params,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=(min(CONNECT_TIMEOUT, self._timeout), self._timeout),
            allow_redirects=False,
            stream=True,
        )
        with contextlib.closing(response):
            content = b"".join(_chunks(response))
        # A proxy may answer with the request that it refuses: nobody is told the token.
        content = content.replace(token.encode(), b"[secret]")
        return api_response(response, content, took=time.monotonic() - began)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    size = 0
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > LONGEST_BODY:
            raise _TooLong
        yield chunk


def api_response(response: requests.Response, content: bytes, *, took: float = 0) -> ApiResponse:
    """What the table of answers looks at. ``took``: seconds from the call to the whole answer."""
    try:
        body = json.loads(content) if content else None
    except (ValueError, RecursionError):
        body = None
    text = content[: 4 * LONGEST_TEXT].decode("utf-8", "replace")
    return ApiResponse(
        status=response.status_code,
        body=body,
        text=(text if body is not None else _TAGS.sub(" ", text)).strip()[:LONGEST_TEXT],
        request_id=response.headers.get("X-Request-Id", "")[:LONGEST_REQUEST_ID],
        retry_after=_retry_after(response.headers.get("Retry-After"), body),
        asked_at=crm_clock.asked_at(response.headers.get("Date"), took),
    )


def _retry_after(header: str | None, body: Any) -> float | None:
    """Seconds to wait: the header if there is one, else Kommo's ``retry_after`` in the body."""
    in_body = body.get("retry_after") if isinstance(body, Mapping) else None
    found = (_seconds(header), _until(header), _seconds(in_body))
    return next((seconds for seconds in found if seconds is not None and seconds > 0), None)


def _seconds(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _until(header: str | None) -> float | None:
    """The other form of the header, a date (RFC 9110)."""
    try:
        moment = parsedate_to_datetime(header or "")
    except (ValueError, OverflowError):
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
