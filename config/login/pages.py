"""The page that a refused login gets: 429, for how long, and what to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from axes.helpers import get_client_username
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language

from config.login import browsers, failures, remembered, turns
from config.login.refusal import LoginRefused, Refusal


class RefusedLoginMiddleware:
    """Answers with the page wherever a login is refused, and at once to whoever just was."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The page or what follows."""
        if request.method == "POST" and request.path == reverse("admin:login"):
            return self._login(request)
        return self._get_response(request)

    def _login(self, request: HttpRequest) -> HttpResponse:
        username = get_client_username(request)
        is_known = browsers.is_known(request, username)
        refusal = None if is_known else turns.strangers.refusal()
        if refusal := refusal or remembered.recall(username, failures.address_of(request)):
            return page(refusal)
        answer = self._get_response(request)
        user = getattr(request, "user", None)  # none where the request did not get that far
        if user is not None and user.is_authenticated:
            browsers.remember(answer, user.get_username())
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page, if it is a refusal."""
        return page(error.refusal) if isinstance(error, LoginRefused) else None


def locked_out(request: Any, original: HttpResponse, credentials: Any) -> HttpResponse:
    """In place of ``original``, the answer to the failure that locks out (axes asks for it)."""
    username = get_client_username(request, credentials)
    found = failures.recent(username, request.axes_ip_address, request.axes_attempt_time)
    return page(found.refusal) if found.refusal else original


def page(refusal: Refusal) -> HttpResponse:
    """The page, in the language of the request."""
    seconds = refusal.seconds
    number = seconds if refusal.is_busy else math.ceil(seconds / 60)
    answer = HttpResponse(_html(get_language(), refusal.is_busy, number), status=429)
    answer["Retry-After"] = str(seconds)
    answer["Cache-Control"] = "no-store"
    return answer


@lru_cache(maxsize=100)  # there are fewer, and a flood asks for one of them all the time
def _html(language: str | None, is_busy: bool, number: int) -> str:
    context = {
        "site_title": admin.site.site_title,
        "site_header": admin.site.site_header,
        "is_busy": is_busy,
        "number": number,
    }
    return render_to_string("admin/config/login_refused.html", context)
