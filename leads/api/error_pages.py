"""Errors that no view of the JSON API has answered, in its form all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views import defaults


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """``handler400``: what Django finds wrong with a request; it does not say what."""
    if not is_of_api(request):
        return defaults.bad_request(request, exception)
    return _answer(request, 400, lambda: _("The request cannot be read."))


def server_error(request: HttpRequest) -> HttpResponse:
    """``handler500``: a mistake of ours. What it was is for the log alone."""
    if not is_of_api(request):
        return defaults.server_error(request)
    return _answer(request, 500, lambda: _("Something went wrong here. Try again in a minute."))


def foreign_host(request: HttpRequest) -> HttpResponse:
    """400 for a host that is not ours; in plain text where no JSON is spoken."""

    def text() -> str:
        return _("This host name is not served here. Is it missing in ALLOWED_HOSTS?")

    if is_of_api(request):
        return _answer(request, 400, text)
    with translation.override(translation.get_language_from_request(request)):
        return HttpResponseBadRequest(f"{text()}\n", content_type="text/plain; charset=utf-8")


def is_of_api(request: HttpRequest) -> bool:
    """Whether whoever asks expects JSON."""
    return request.path_info.startswith("/api/")


def _answer(request: HttpRequest, status: int, text: Callable[[], str]) -> HttpResponse:
    # What went wrong may have done so before anybody asked for the language of the request.
    language = translation.get_language_from_request(request)
    with translation.override(language):
        body: dict[str, Any] = {"success": False, "error": text()}
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    return JsonResponse(
        body, status=status, headers=headers, json_dumps_params={"ensure_ascii": False}
    )
