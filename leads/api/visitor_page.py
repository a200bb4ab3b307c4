"""The answer as a page, for a visitor whose browser has sent the form by itself."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from rest_framework.request import Request
from rest_framework.response import Response

from leads.api.parsers import Form, MultipartParser, TextParser, media_type_of

#: What browsers send by themselves; also where nothing of it was read yet.
_ENCODED = (TextParser.media_type, MultipartParser.media_type)


def wants_page(request: Request, sent: Form) -> bool:
    """Whether a browser waits to show what comes: scripts and servers do not ask for HTML."""
    is_encoded = sent.is_encoded or media_type_of(request) in _ENCODED
    return is_encoded and "text/html" in request.headers.get("Accept", "")


def visitor_page(request: Request, answer: Response) -> HttpResponse:
    """What ``answer`` says, to be read: thanks, or what was wrong."""
    fields = answer.data.get("fields", {})
    problems = [text for texts in fields.values() for text in texts]
    page = {
        "is_accepted": answer.data["success"],
        "problems": problems or [answer.data.get("error", "")],
    }
    shown = render(request._request, "leads/answer.html", page, status=answer.status_code)
    for name, value in answer.items():  # as Retry-After
        shown.setdefault(name, value)
    return shown
