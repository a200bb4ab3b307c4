"""What is done with a form that gets an error for an answer."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http.request import RawPostDataException
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from leads.api import builders
from leads.api.cleaning import clean_lines
from leads.api.copying import Copy
from leads.api.exceptions import NoSuchForm, TooManyForms
from leads.api.parsers import MAX_BODY, MAX_DEPTH, Form, Unreadable, json_object
from leads.api.serializers import PERSON, LandingSerializer, serializer_of
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
    text = "" if sent else _text(error, request)
    if found := _object(text):
        sent, text, read = found, "", type(read)(data=builders.read(found, form).form)
        read.is_valid()
    person = read.person or {field: "" for field in PERSON}
    keeping.report(form, problems.kept, person, _why(error))
    body: dict[str, Any] = Copy(lambda *_: None, max_depth=MAX_DEPTH).of(dict(sent))
    if (any(body.values()) or text) and RefusedThrottle().allow_request(request, None):
        keeping.keep(form=form, problems=problems.kept, person=person, body=body, text=text)


def _problems(error: APIException, read: LandingSerializer) -> Remarks:
    problems = Remarks()
    if isinstance(error, NoSuchForm):
        problems.add("form", Code.NO_FORM, error.slug)
    elif read.person and not read.named:
        return read.remarks
    elif isinstance(error, TooManyForms):
        problems.add("form", Code.TOO_OFTEN, error.wait)
    else:
        problems.add("form", Code.REFUSED, _told(error.detail))
    return problems


def keep_without_address(request: Request, address: str) -> None:
    """Log, count and keep what was posted to an ``address`` that there is not."""
    sent, read, error = Form(), serializer_of("")(data={}), NoSuchForm(address)
    with suppress(APIException):  # then as a text
        sent = Form(request.data)
        read = type(read)(data=builders.read(sent, None).form)
        read.is_valid()
    report_and_keep(error, request, sent, read, None)


def _text(error: APIException, request: Request) -> str:
    """What there is of a body that was not understood: at most its first 64 KiB."""
    sent = error.body if isinstance(error, Unreadable) else b""
    with suppress(OSError, RawPostDataException, RequestDataTooBig):
        sent = sent or request._request.read(MAX_BODY)
    return clean_lines(sent.decode(errors="replace"))


def _object(text: str) -> Form | None:
    """The JSON object that ``text`` is, under whatever type it came."""
    with suppress(Unreadable):
        return json_object(text.encode())
    return None


def _why(error: APIException) -> str:
    """The status and the error in words: ``413 body too big``."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()
    fields = ", ".join(error.detail) if isinstance(error.detail, dict) else ""
    return f"{error.status_code} {words} {fields}".rstrip()


def _told(detail: Any) -> str:
    while isinstance(detail, dict | list) and detail:
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return str(detail)
