"""No error page for a host that is not ours."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from leads.api.error_pages import foreign_host


def refuse_foreign_hosts(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware: 400 for a host that is not ours, before anything else.

    With ``DEBUG`` Django would answer with a page full of settings, and somebody else's page whose
    name leads to this machine could read it.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost:
            return foreign_host(request)
        return get_response(request)

    return middleware
