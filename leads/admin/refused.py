"""Refused forms for operators: who was turned away, why, and a way to mend that."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from leads.api.serializers import PERSON
from leads.intake import KeyReused
from leads.models import RefusedForm, Submission
from leads.refused.mending import MendingForm, send_on
from leads.remarks import sentence

if TYPE_CHECKING:
    _RefusedAdmin = admin.ModelAdmin[RefusedForm]
else:
    _RefusedAdmin = admin.ModelAdmin

_CAME = ("created_at", "times", "last_at", "reasons")


class RefusedFormAdmin(_RefusedAdmin):
    """Nobody adds any. Saving a form with somebody who can be reached sends it on."""

    form = MendingForm
    change_form_template = "admin/leads/refusedform/change_form.html"
    list_display = ("created_at", "form", "reasons", "name", "email", "phone", "times", "sent_on")
    list_filter = (("submission", admin.EmptyFieldListFilter), "form", "created_at")
    list_select_related = ("form", "submission")
    search_fields = ("name", "email", "phone", "text")
    list_per_page = 50
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("form", *_CAME)}),
        (_("Person"), {"fields": PERSON}),
        (_("What was sent"), {"fields": ("sent", "sent_on")}),
    )
    readonly_fields = (*_CAME, "sent", "sent_on")

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["leads/refused.css"]}

    def formfield_for_dbfield(self, *args: Any, **kwargs: Any) -> Any:
        """Which form it was is chosen here, and none is made or changed on the way."""
        field: Any = super().formfield_for_dbfield(*args, **kwargs)
        if isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They come from landing pages."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: RefusedForm | None = None) -> bool:
        """One that was sent on is only to be read."""
        is_open = obj is None or obj.submission_id is None
        return is_open and super().has_change_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: RefusedForm | None = None) -> bool:
        """Whoever may mend may look, also at what is mended already."""
        return super().has_view_permission(request, obj) or super().has_change_permission(
            request, obj
        )

    def save_model(
        self, request: HttpRequest, obj: RefusedForm, form: MendingForm, change: bool
    ) -> None:
        """Save what was mended, and send it on once that is committed."""
        super().save_model(request, obj, form, change)
        transaction.on_commit(partial(_send_on, request, obj, form))

    @admin.display(description=_("reasons"))
    def reasons(self, refused: RefusedForm) -> str | SafeString:
        """A line for each."""
        told = ((sentence(one),) for one in refused.problems)
        return format_html_join(mark_safe("<br>"), "{}", told) or "—"

    @admin.display(description=_("what was sent"))
    def sent(self, refused: RefusedForm) -> SafeString:
        """The object, or the text that could not be read."""
        body = json.dumps(refused.body, ensure_ascii=False, indent=2) if refused.body else ""
        return format_html('<pre class="sent">{}</pre>', body or refused.text)

    @admin.display(description=_("sent on as"))
    def sent_on(self, refused: RefusedForm) -> str | SafeString:
        """The submission that it became."""
        return _link(refused.submission) if refused.submission else "—"


def _send_on(request: HttpRequest, refused: RefusedForm, form: MendingForm) -> None:
    try:
        submission = send_on(refused, form.cleaned_data["form"], form.serializer)
    except KeyReused:
        messages.warning(request, gettext("Somebody has sent it on already."))
    else:
        text = gettext("Sent on: {}")
        messages.success(request, format_html(text, _link(submission)))


def _link(submission: Submission) -> SafeString:
    page = reverse("admin:leads_submission_change", args=[submission.pk])
    return format_html('<a href="{}">{}</a>', page, submission)
