"""The one shape of error in the OpenAPI document, for every address of the JSON API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from drf_spectacular.utils import extend_schema_field as is_described_as
from rest_framework import serializers


@is_described_as({"type": "boolean", "const": True})
class Yes(serializers.BooleanField):
    """``success`` where it is one."""


@is_described_as({"type": "boolean", "const": False})
class No(serializers.BooleanField):
    """``success`` of an error."""


class Error(serializers.Serializer[Any]):
    """What is wrong, for people."""

    success = No()
    error = serializers.CharField(
        help_text="A sentence for people, in Russian or with `Accept-Language: en` in English."
    )
    # REST framework takes it off the class; its own `fields` is of instances.
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Where the input is wrong: sentences by the name of the field or parameter.",
    )


# status: what it means, and the sentence of an example.
_MEANINGS = {
    400: ("The input is wrong, or cannot be read.", "The request is not valid JSON."),
    401: ("Nobody is logged in, or the token is wrong.", "Invalid token."),
    403: ("Whoever asks may not.", "You do not have permission to perform this action."),
    404: ("There is no such thing.", "There is no such submission."),
    406: ("It is not answered in this type.", "Could not satisfy the request Accept header."),
    409: ("Not as things stand.", "Somebody else holds this lock now: nothing was cleared."),
    411: (
        "A body in chunks from a sender that speaks HTTP/1.0.",
        "Send the form with a Content-Length, not in chunks.",
    ),
    413: (
        "The body is bigger than 64 KiB, or 8 MiB with files.",
        "The request is too big: at most 64 KiB are accepted, 8 MiB with files.",
    ),
    415: ("Nothing is read in this type.", 'Unsupported media type "text/xml" in request.'),
    422: (
        "The Idempotency-Key belongs to another body.",
        "This Idempotency-Key was already used with another body.",
    ),
    429: ("Too many calls from one address.", "Too many requests. Try again in 7 s."),
    503: (
        "The database or Redis does not answer.",
        "The service is temporarily unavailable. Try again in a minute.",
    ),
}
_RETRY_AFTER = (429, 503)


def errors(*codes: int, shape: Any = Error) -> dict[int, OpenApiResponse]:
    """The answers with these codes, as ``responses`` of ``extend_schema`` takes them."""
    return {code: _error(code, shape) for code in codes}


def retry_after(*codes: int) -> OpenApiParameter:
    """The header of those of ``codes`` that say when to come back."""
    return OpenApiParameter(
        "Retry-After",
        OpenApiTypes.INT,
        OpenApiParameter.HEADER,
        response=[code for code in codes if code in _RETRY_AFTER],
        description="Seconds until a call is worth while.",
    )


def _error(code: int, shape: Any) -> OpenApiResponse:
    meaning, sentence = _MEANINGS[code]
    example = OpenApiExample("Error", value={"success": False, "error": sentence})
    return OpenApiResponse(shape, description=meaning, examples=[example])
