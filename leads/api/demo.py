"""The demo landing page: both forms and what becomes of them, for a first look at a new
installation."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.views.decorators.http import require_safe

from amocrm.account.links import lead_url
from leads import conf
from leads.models import Submission


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The demo page with ``DEBUG``, else the way to the admin. ``?lang=`` chooses its language."""
    if not settings.DEBUG:
        return redirect("admin:index")
    wanted = request.GET.get("lang", "")
    language = wanted if wanted in dict(settings.LANGUAGES) else translation.get_language()
    with translation.override(language):
        page = {
            "language": language,
            "crm_url": conf.current().crm_url,
            "origin": f"{request.scheme}://{request.get_host()}",
        }
        return render(request, "leads/demo.html", page)


@require_safe
def outcome(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    """Which lead a submission of the demo has become, with ``DEBUG`` alone: nobody but this
    machine can ask then, and nobody else may learn who is a customer. Raises ``Http404``."""
    if not settings.DEBUG:
        raise Http404
    submission = get_object_or_404(Submission, pk=submission_id)
    lead_id = submission.lead_id
    url = lead_url(conf.current().crm_url, lead_id) if lead_id else None
    return JsonResponse({"action": submission.action, "leadId": lead_id, "url": url})
