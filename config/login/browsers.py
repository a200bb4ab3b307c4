"""Browsers in which somebody has logged in before: their passwords are checked in a lane of their
own, so that guessers from however many addresses cannot take all turns."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

COOKIE = "known_browser"
SECONDS = 90 * 24 * 3600

_SALT = "config.login.browsers"


def is_known(request: HttpRequest, username: str | None) -> bool:
    """Whether this user name was right in this browser within :data:`SECONDS`."""
    shown = request.get_signed_cookie(COOKIE, default=None, salt=_SALT, max_age=SECONDS)
    return bool(username) and shown == username


def remember(answer: HttpResponse, username: str) -> None:
    """Let the browser that gets ``answer`` show that ``username`` has logged in there."""
    answer.set_signed_cookie(
        COOKIE,
        username,
        salt=_SALT,
        max_age=SECONDS,
        path="/admin/login/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
