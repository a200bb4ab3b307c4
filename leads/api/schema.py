"""What the views of the landing API say of themselves in the OpenAPI document.

The views do not know of it. A form reads more than is described here: see docs/api.md.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
    OpenApiViewExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiRequest,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from leads.api import fields, views
from leads.api.answer_schemas import Accepted, AcceptedFromBuilder, SubmissionStatus
from leads.api.error_schema import errors, retry_after
from leads.api.serializers import serializer_of

_TAG = "Forms"
_PERSON = {"name": "Айдана Ахметова", "email": "aidana@example.kz", "phone": "+7 701 123 01 02"}

# A form's view: what it is for, and what its page sends.
_FORMS: dict[type[APIView], tuple[str, dict[str, Any]]] = {
    views.ProftestView: (
        "A proftest",
        {
            **_PERSON,
            "source": "proftest_main",
            "proftestAnswers": [
                {"questionNumber": 1, "question": "Что вам ближе?", "answer": "Числа"}
            ],
            "utmParams": {"utm_source": "google", "utm_medium": "cpc"},
        },
    ),
    views.FormView: (
        "A form made in the admin",
        {
            **_PERSON,
            "answers": {"Какой у вас уровень?": "B2"},
            "utmParams": {"utm_source": "google"},
            "consent": {
                "text": "Согласие на обработку данных",
                "at": "2026-11-25T12:00:00+05:00",
                "page": "https://school.example/ielts",
            },
        },
    ),
    views.ExpressView: (
        "The express course",
        {
            **_PERSON,
            "paymentMethod": "kaspi",
            "source": "express",
            "campaignSlug": "autumn",
            "utmParams": {"utm_source": "instagram"},
            "metadata": {"page": "/express"},
        },
    ),
}
_FORM = """\
Accepted is everybody who can be reached, by an e-mail or a phone. Whatever else is wrong is read as
it was meant, and what could not be read becomes a remark for operators. More types are read than
described: numbers and lists for texts, PHP's `[]` for an empty object, JSON inside of a text.
Other names, such as builders of forms use, are known, too. To a form that a browser sends by itself
(`Accept: text/html`) the same is answered as a page.

The answer means that the form is kept; it is delivered to amoCRM afterwards.
"""
_FIELDS = {
    "name": "What the person is called.",
    "email": "An e-mail address. Without a phone it is needed.",
    "phone": "A phone number with its country code. Without an e-mail it is needed.",
    "source": "Which page it is.",
    "campaignSlug": "Which campaign it belongs to.",
    "utmParams": "Marks of advertising: `utm_source` and its like, `gclid`, `fbclid`.",
    "metadata": "Whatever else the page wants to keep with the form.",
    "proftestAnswers": "The answers, in order.",
    "answers": "Other answers, as a list or an object.",
    "consent": "What was agreed to, when and on which page; a tick or the text alone will do.",
    "paymentMethod": "How the person wants to pay.",
}
_TEXT = {"type": "string"}
_ANSWER = {
    "type": "object",
    "properties": {
        "questionNumber": {"type": "integer"},
        "question": {**_TEXT, "maxLength": 1000},
        "answer": {"description": "A text or any other value."},
    },
}


class _AdminSession(OpenApiAuthenticationExtension):
    target_class = "leads.api.authentication.AdminSession"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """The cookie of whoever is logged in."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "Of the admin. What changes something needs X-CSRFToken, too.",
        }


class _Field(OpenApiSerializerFieldExtension):
    target_class = fields.LenientField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        """What a page should send."""
        field = self.target
        schema = _schema_of(field)
        if described := _FIELDS.get(field.field_name):
            schema["description"] = described
        return schema


def _schema_of(field: fields.LenientField) -> dict[str, Any]:
    match field:
        case fields.ChoiceField():
            return {**_TEXT, "enum": list(field.choices)}
        case fields.TextField():
            is_email = field.field_name == "email"
            return {**_TEXT, "maxLength": field.longest} | ({"format": "email"} if is_email else {})
        case fields.UtmField():
            return {"type": "object", "additionalProperties": {**_TEXT, "maxLength": 2000}}
        case fields.ProftestAnswersField():
            return {"type": "array", "items": _ANSWER, "maxItems": 200}
        case fields.ConsentField():
            return {
                "type": "object",
                "properties": {
                    part: {**_TEXT, "maxLength": longest} for part, longest in field.parts
                },
            }
        case fields.AnswersField():
            return {"type": ["array", "object"]}
        case _:
            return {"type": "object"}


class _Form(OpenApiSerializerExtension):
    target_class = "leads.api.serializers.LandingSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """The fields of a page of ours, with a mark on those that it should ask for."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        properties = {name: one for name, one in schema["properties"].items() if name in _FIELDS}
        return {"type": "object", "properties": properties, "required": list(self.target.wanted)}


class _FormView(OpenApiViewExtension):
    target_class = views.FormView
    match_subclasses = True

    def view_replacement(self) -> type[APIView]:
        """The form in every encoding, and every answer to it."""
        summary, example = _FORMS[self.target]
        refused = (400, 404, 411, 413, 415, 422, 429, 503)
        serializer = serializer_of(self.target._slug)
        return _documented(
            self.target,
            "post",
            summary=summary,
            description=_FORM,
            parameters=[
                OpenApiParameter(
                    "Idempotency-Key",
                    {**_TEXT, "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                    OpenApiParameter.HEADER,
                    description="A call with a key that came before gets the first one's answer.",
                ),
                OpenApiParameter(
                    "Location",
                    OpenApiTypes.URI,
                    OpenApiParameter.HEADER,
                    response=[303],
                    description="The field `_next` of the form.",
                ),
                OpenApiParameter(
                    "X-Api-Key",
                    _TEXT,
                    OpenApiParameter.HEADER,
                    description="The key of a sender that has one; also as a Bearer token, or as"
                    " `key` in the address. A wrong one refuses nothing.",
                ),
                retry_after(*refused),
            ],
            request=_in_every_encoding(serializer(data={}), example),
            responses={
                202: OpenApiResponse(Accepted, description="The form is kept."),
                200: OpenApiResponse(
                    AcceptedFromBuilder, description="The same for a builder of forms."
                ),
                303: OpenApiResponse(
                    description="The same for a page without JavaScript: on to its `_next`."
                ),
                **errors(*refused),
            },
        )


class _StatusView(OpenApiViewExtension):
    target_class = views.SubmissionStatusView

    def view_replacement(self) -> type[APIView]:
        """Open to anybody who knows the id."""
        refused = (401, 404, 429, 503)
        return _documented(
            self.target,
            "get",
            operation_id="read_submission",
            summary="How far a submission is",
            description="For whoever knows its id; for staff there is more.",
            parameters=[retry_after(*refused)],
            responses={200: SubmissionStatus, **errors(*refused)},
        )


def _documented(view: type[APIView], method: str, **described: Any) -> type[APIView]:
    # What has no permission classes is open, which drf-spectacular reads off AllowAny only.
    shown = type(view.__name__, (view,), {"permission_classes": (AllowAny,)})
    extended: type[APIView] = extend_schema_view(
        **{method: extend_schema(tags=[_TAG], **described)}
    )(shown)
    return extended


def _in_every_encoding(serializer: Any, example: dict[str, Any]) -> dict[str, OpenApiRequest]:
    nested = {
        name: {"style": "deepObject", "explode": True}
        for name, value in example.items()
        if isinstance(value, dict)
    }
    text = {
        **_TEXT,
        "contentMediaType": "application/json",
        "description": "The same JSON, as `sendBeacon` sends it.",
    }
    return {
        "application/json": OpenApiRequest(serializer, examples=[_example(example)]),
        "application/x-www-form-urlencoded": OpenApiRequest(
            serializer, encoding=nested, examples=[_example(example)]
        ),
        "multipart/form-data": OpenApiRequest(serializer, examples=[_example(example)]),
        "text/plain": OpenApiRequest(
            text, examples=[_example(json.dumps(example, ensure_ascii=False))]
        ),
    }


def _example(value: Any) -> OpenApiExample:
    return OpenApiExample("A form", value=value)
