"""Where the access token comes from, and until when it is good."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Protocol

from amocrm import conf
from amocrm.text.printable import is_visible_ascii


class TokenSource(Protocol):
    """Gives the token for the next call. Another way of getting one is another class."""

    def get(self) -> str:
        """The access token, without ``Bearer``."""

    def expires_at(self) -> datetime | None:
        """When it ends, ``None`` where nobody can tell."""


class LongLivedToken:
    """The token of a private integration, from its "Keys" tab: good for a day to five years,
    shown once, never refreshed."""

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        """Raises ``ValueError`` where ``token`` cannot be one; the value is not in the text."""
        if not token.strip():
            raise ValueError("the access token is empty")
        if token != token.strip():
            raise ValueError("the access token has blanks around it")
        if not is_visible_ascii(token):
            raise ValueError("the access token has characters that no token has")
        self._token = token

    def get(self) -> str:
        """The access token, without ``Bearer``."""
        return self._token

    def expires_at(self) -> datetime | None:
        """The ``exp`` claim where the token is a JWT (RFC 7519), as amoCRM's are."""
        parts = self._token.split(".")
        if len(parts) != 3:
            return None
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        try:
            claims = json.loads(base64.urlsafe_b64decode(padded))
            return datetime.fromtimestamp(int(claims["exp"]), tz=UTC)
        except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
            return None

    def __repr__(self) -> str:
        return "<LongLivedToken>"

    def __reduce__(self) -> str:
        raise TypeError("an access token is not to be stored or sent")


def source(settings: conf.AmoSettings) -> TokenSource:
    """Where the account's token comes from; here another kind of source is put in place of it.

    Raises ``ValueError`` where the configured token cannot be one.
    """
    return LongLivedToken(settings.access_token)


def expires_at() -> datetime | None:
    """When the configured token ends, ``None`` where it does not say or cannot be one."""
    try:
        return source(conf.current()).expires_at()
    except ValueError:
        return None
