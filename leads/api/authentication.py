"""Staff by the session of the admin."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request


class NoCsrfToken(PermissionDenied):
    """403: another site may have sent this call with the visitor's session."""

    default_detail = _(
        "With the session of the admin this call needs the header X-CSRFToken with the value of"
        " the cookie csrftoken. A token of the API needs neither."
    )


class AdminSession(SessionAuthentication):
    """As REST framework's, in the caller's language."""

    def enforce_csrf(self, request: Request) -> None:
        """Raises :class:`NoCsrfToken`."""
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise NoCsrfToken from error
