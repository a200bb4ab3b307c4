"""The demo landing page: both forms, for a first look at a new installation."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.http import require_safe

from leads import conf


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The demo page with ``DEBUG``, else the way to the admin. ``?lang=`` chooses its language."""
    if not settings.DEBUG:
        return redirect("admin:index")
    wanted = request.GET.get("lang", "")
    language = wanted if wanted in dict(settings.LANGUAGES) else translation.get_language()
    with translation.override(language):
        page = {"language": language, "crm_url": conf.current().crm_url}
        return render(request, "leads/demo.html", page)
