"""``/api/schema`` and ``/api/docs``: open to anybody, for they hold nothing that is secret."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.utils import extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

# Importing them tells drf-spectacular what they say of the views.
import leads.api.schema  # noqa: F401
import locks_admin.api.schema  # noqa: F401
from leads.api.error_schema import errors

_making = Lock()


def schema() -> dict[str, Any]:
    """The OpenAPI document. It takes a while to make, and changes with the code alone."""
    with _making:  # drf-spectacular exchanges the classes of views meanwhile
        return _made()


@cache
def _made() -> dict[str, Any]:
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return document


class _OpenView(APIView):
    authentication_classes: Sequence[Any] = ()
    permission_classes = (AllowAny,)
    http_method_names = ("get", "head")


class SchemaView(_OpenView):
    """``GET /api/schema``: as JSON, or as YAML with ``Accept: application/yaml``."""

    renderer_classes = (OpenApiJsonRenderer2, OpenApiYamlRenderer2)
    content_negotiation_class = DefaultContentNegotiation

    @extend_schema(
        operation_id="read_schema",
        summary="This document",
        description="The OpenAPI document that you are reading, as JSON or YAML.",
        tags=["Documentation"],
        responses={
            (200, "application/json"): {"type": "object"},
            (200, "application/yaml"): {"type": "object"},
            **errors(404, 406),
        },
    )
    def get(self, request: Request) -> Response:
        """The document."""
        return Response(schema())


# Swagger UI's style sheet has its icons as data.
@method_decorator(csp_update({"img-src": [SELF, "data:"]}), name="dispatch")
class DocsView(_OpenView):
    """``GET /api/docs``: the same for people, by Swagger UI."""

    @extend_schema(
        operation_id="read_docs",
        summary="A page to read it",
        description="This document as a page on which every call can be tried.",
        tags=["Documentation"],
        responses={(200, "text/html"): {"type": "string"}},
    )
    def get(self, request: Request) -> HttpResponse:
        """The page; its script asks for the document."""
        return render(request, "api_docs.html")
