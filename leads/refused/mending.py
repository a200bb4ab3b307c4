"""Mending a refused form: who it is comes from an operator, everything else from the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from rest_framework.exceptions import ErrorDetail

from leads.api import builders
from leads.api.parsers import Form
from leads.api.serializers import PERSON, LandingSerializer, serializer_of
from leads.intake import accept_submission
from leads.models import LandingForm, RefusedForm, Submission
from leads.remarks import Code

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[RefusedForm]
else:
    _ModelForm = forms.ModelForm


class MendingForm(_ModelForm):
    """Valid once somebody can be reached."""

    serializer: LandingSerializer

    class Meta:
        model = RefusedForm
        fields = ("form", "name", "email", "phone")

    def clean(self) -> dict[str, Any]:
        """Read the mended form as if it had just been sent."""
        landing_form = self.cleaned_data.get("form")
        if landing_form is None:  # said already
            return self.cleaned_data
        mended = {field: self.cleaned_data.get(field, "") for field in PERSON}
        sent = Form(self.instance.body or {"metadata": {"text": self.instance.text}})
        read = builders.read(sent, landing_form)
        self.serializer = serializer_of(landing_form.slug)(data=read.form | mended)
        if not self.serializer.is_valid():
            for field, problems in self.serializer.errors.items():
                self.add_error(field, _texts(problems))
        return self.cleaned_data


def send_on(refused: RefusedForm, form: LandingForm, serializer: LandingSerializer) -> Submission:
    """The submission that the mended form becomes: one, however often this is called.

    Raises :class:`~leads.intake.KeyReused` if it was sent on in another version already.
    """
    came_at = timezone.localtime(refused.created_at)
    serializer.remarks.add("form", Code.MENDED, f"{came_at:%d.%m.%Y %H:%M}")
    accepted = accept_submission(
        form=form.slug,
        data=serializer.validated_data,
        named=serializer.named,
        idempotency_key=f"refused {refused.pk}",
        is_limited=False,  # somebody has looked at it
    )
    RefusedForm.objects.filter(pk=refused.pk).update(submission=accepted.id)
    return Submission.objects.get(pk=accepted.id)


def _texts(problems: list[ErrorDetail]) -> list[str]:
    return [str(one) for one in problems]
