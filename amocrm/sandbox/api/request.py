"""One request on its way to an endpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from amocrm.sandbox.account.store import Account
from amocrm.sandbox.settings import Settings


@dataclass(frozen=True)
class Request:
    """An HTTP request, read completely. ``headers`` has lower-case names."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @cached_property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.target).path

    @cached_property
    def raw_query(self) -> str:
        """The query as sent."""
        return urlsplit(self.target).query

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The query, decoded."""
        return parse_qs(self.raw_query, keep_blank_values=True)

    @property
    def token(self) -> str:
        """The bearer token, empty if there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def base(self) -> str:
        """``http://host:port``, as the client knows this server."""
        return "http://" + self.headers.get("host", "127.0.0.1")

    @property
    def rows(self) -> list[Any]:
        """What a write is about: the rows of a batch, one for an object, none without JSON."""
        try:
            body = self.json()
        except ValueError:
            return []
        return body if isinstance(body, list) else [body]

    def with_rows(self, rows: list[Any]) -> Request:
        """The same request about these rows."""
        return replace(self, body=json.dumps(rows).encode())

    def json(self) -> Any:
        """The body as JSON. Raises :class:`ValueError` if it is none."""
        return json.loads(self.body.decode("utf-8"))


@dataclass(frozen=True)
class Call:
    """A request matched to an endpoint. ``ids`` are the numbers in the path, in order."""

    account: Account
    settings: Settings
    request: Request
    ids: tuple[int, ...] = ()

    @property
    def base(self) -> str:
        """Where links in the answer begin."""
        return self.request.base

    @cached_property
    def wanted(self) -> frozenset[str]:
        """What ``with=`` asks for."""
        named = ",".join(self.request.query.get("with", []))
        return frozenset(part.strip() for part in named.split(",") if part.strip())

    def number(self, name: str, default: int) -> int:
        """A query parameter as a positive number; nonsense counts as absent."""
        text = self.request.query.get(name, [""])[-1]
        return int(text) if text.isdecimal() and int(text) > 0 else default
