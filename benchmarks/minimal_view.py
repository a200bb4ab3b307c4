"""What taking a form is measured against: the least that REST framework needs for it.

The same fields, one INSERT of the same row, an answer of the same form; no idempotency, no
repetitions, no limit, no log line, nobody told. It is served like the service itself:
``DJANGO_SETTINGS_MODULE=benchmarks.minimal_settings``.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib import admin
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from leads.models import Submission


class MinimalSerializer(serializers.Serializer[Any]):
    """The fields of a proftest as REST framework has them."""

    name = serializers.CharField(max_length=255)
    email = serializers.EmailField(max_length=320)
    phone = serializers.CharField(max_length=64)
    # REST framework takes it off the class; its own `source` is of instances.
    source = serializers.CharField(max_length=255, required=False)  # type: ignore[assignment]
    campaignSlug = serializers.CharField(max_length=255, source="campaign_slug", required=False)
    utmParams = serializers.DictField(source="utm", required=False)
    metadata = serializers.DictField(required=False)
    proftestAnswers = serializers.ListField(source="answers", required=False)


class MinimalView(APIView):
    """``POST``: check, insert, answer."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        """202 with the row's id."""
        form = MinimalSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        row = Submission.objects.create(
            form_id="proftest",
            client=request.META["HTTP_X_FORWARDED_FOR"],
            body_digest=hashlib.sha256(str(request.data).encode()).hexdigest(),
            repetition=0,
            **form.validated_data,
        )
        return Response({"success": True, "leadId": str(row.pk), "status": row.status}, status=202)


urlpatterns = [
    path("api/landing/proftest", MinimalView.as_view()),
    path("admin/", admin.site.urls),  # a middleware asks for the address of its login
]
