"""What is done with a form that gets an error for an answer."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.request import Request

from leads.api.cleaning import clean_lines
from leads.api.copying import Copy
from leads.api.exceptions import NoSuchForm, TooManyForms
from leads.api.parsers import MAX_DEPTH, Form, Unreadable
from leads.api.serializers import PERSON, LandingSerializer
from leads.api.throttles import RefusedThrottle
from leads.models import LandingForm
from leads.refused import keeping
from leads.remarks import Code, Remarks


def report_and_keep(
    error: APIException,
    request: Request,
    sent: Form,
    read: LandingSerializer,
    form: LandingForm | None,
) -> None:
    """Log and count it, and keep what was ``sent``. ``read`` is how far it was understood.

    What is empty is not kept, nor what one address sends beyond its limit: a row for each would
    push out those that an operator can help.
    """
    problems = _problems(error, read)
    person = read.person or {field: "" for field in PERSON}
    keeping.report(form, problems.kept, person)
    body: dict[str, Any] = Copy(lambda *_: None, max_depth=MAX_DEPTH).of(dict(sent))
    text = _text(error)
    if (any(body.values()) or text) and RefusedThrottle().allow_request(request, None):
        keeping.keep(form=form, problems=problems.kept, person=person, body=body, text=text)


def _problems(error: APIException, read: LandingSerializer) -> Remarks:
    if read.person and not read.named:
        return read.remarks
    problems = Remarks()  # it is not the person that is wrong
    if isinstance(error, NoSuchForm):
        problems.add("form", Code.NO_FORM, error.slug)
    elif isinstance(error, TooManyForms):
        problems.add("form", Code.TOO_OFTEN, error.wait)
    else:
        problems.add("form", Code.REFUSED, _told(error.detail))
    return problems


def _text(error: APIException) -> str:
    sent = error.body if isinstance(error, Unreadable) else b""
    return clean_lines(sent.decode(errors="replace"))


def _told(detail: Any) -> str:
    while isinstance(detail, dict | list) and detail:
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return str(detail)
