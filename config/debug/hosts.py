"""No error page for a host that is not ours."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest


def refuse_foreign_hosts(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware: 400 in plain text for a host that is not ours, before anything else.

    With ``DEBUG`` Django would answer with a page full of settings, and somebody else's page whose
    name leads to this machine could read it.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost:
            text = "This host name is not served here. Is it missing in ALLOWED_HOSTS?\n"
            return HttpResponseBadRequest(text, content_type="text/plain")
        return get_response(request)

    return middleware
