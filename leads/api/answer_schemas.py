"""What the landing API answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from leads.api.error_schema import Yes
from leads.models import Submission

#: The states that anybody is told; staff is told more.
TOLD = ("accepted", "delivered", "failed")


class Accepted(serializers.Serializer[Any]):
    """A form that is kept."""

    success = Yes()
    leadId = serializers.UUIDField(help_text="The submission's id.")
    status = serializers.ChoiceField(
        TOLD, help_text="`accepted`, or more for a form that came before."
    )
    statusUrl = serializers.URLField(help_text="Where to ask how far it is.")


class AcceptedFromBuilder(Accepted):
    """A builder's form that is kept; of the test of a connection (`test=test`) nothing is."""

    leadId = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(TOLD, required=False)
    statusUrl = serializers.URLField(required=False)


class SubmissionStatus(serializers.Serializer[Any]):
    """How far a submission is. From ``action`` on for staff that may view submissions."""

    success = Yes()
    leadId = serializers.UUIDField()
    status = serializers.ChoiceField(Submission.Status.values)
    action = serializers.ChoiceField(
        ["created", "updated"],
        required=False,
        allow_null=True,
        help_text="What was done with the lead.",
    )
    amocrmLeadId = serializers.IntegerField(required=False, allow_null=True)
    attempts = serializers.IntegerField(required=False)
    nextAttemptAt = serializers.DateTimeField(required=False, allow_null=True)
    error = serializers.CharField(
        required=False, allow_null=True, help_text="Why it is not delivered."
    )
