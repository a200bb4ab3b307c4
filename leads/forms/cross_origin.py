"""Whose pages may send forms by JavaScript and read the answers, besides the settings' own."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest

from leads.models import LandingForm

API = "/api/landing/"


def is_allowed(sender: Any, request: HttpRequest, **kwargs: Any) -> bool:
    """Whether an active form names the page's origin.

    A receiver of ``corsheaders.signals.check_request_enabled``, which is also sent for addresses
    that have nothing to do with forms.
    """
    origin = request.headers.get("Origin", "")
    if not origin or not request.path_info.startswith(API):
        return False
    forms = LandingForm.objects.filter(is_active=True, allowed_origins__contains=origin)
    try:
        return any(origin in form.origins() for form in forms)
    except DatabaseError:  # the answer says so already
        return False
