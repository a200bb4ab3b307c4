"""JSON bodies of a bounded size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

#: In bytes.
MAX_BODY = 64 * 1024
#: How deeply lists and objects may lie in each other.
MAX_DEPTH = 32


class BodyTooBig(APIException):
    """413: the body is bigger than a form can be."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is too big: at most 64 KiB of JSON are accepted.")


class BoundedJSONParser(BaseParser):
    """UTF-8 JSON of at most :data:`MAX_BODY` bytes, without what only Python calls JSON."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The parsed body. Raises :class:`BodyTooBig` before reading it, and ``ParseError``."""
        announced = parser_context["request"].META.get("CONTENT_LENGTH") if parser_context else ""
        if str(announced or "0").isdecimal() and int(announced or 0) > MAX_BODY:
            raise BodyTooBig
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise BodyTooBig
        try:
            parsed = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The request is not valid JSON.")) from error
        if not isinstance(parsed, dict):
            raise ParseError(_("The request must be a JSON object."))
        if is_deeper(parsed, MAX_DEPTH):
            raise ParseError(_("The value is nested too deeply."))
        return parsed


def is_deeper(value: Any, levels: int) -> bool:
    """Whether something lies in ``value`` more than so many levels deep."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(is_deeper(one, levels - 1) for one in inner)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
