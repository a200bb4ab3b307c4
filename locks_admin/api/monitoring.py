"""Who may read the whole status: staff with ``view_lock``, or monitoring with its own token."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

_SCHEME = "Bearer"
_MONITORING = "monitoring"  # what request.auth is for whoever sent METRICS_TOKEN


class WrongMetricsToken(AuthenticationFailed):
    """Its message says what to do: a token of an account is no help to monitoring."""


class MonitoringToken(BaseAuthentication):
    """``Authorization: Bearer <METRICS_TOKEN>``: nobody's account, and good for reading only.

    A wrong one is refused instead of being answered like nobody's: monitoring that lost its token
    must not go on watching less without a word.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str] | None:
        """Nobody by name, if the token is right; ``None`` for those who send no such header."""
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != _SCHEME.lower():
            return None
        if settings.METRICS_TOKEN and constant_time_compare(token.strip(), settings.METRICS_TOKEN):
            return AnonymousUser(), _MONITORING
        raise WrongMetricsToken(
            _("This is not the METRICS_TOKEN of the service. Set it in env.env and restart.")
        )

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return _SCHEME


def may_see_all(request: Request) -> bool:
    """Whether the whole status is for whoever asks."""
    if request.auth == _MONITORING:
        return True
    return bool(request.user.is_staff and request.user.has_perm("locks_admin.view_lock"))
