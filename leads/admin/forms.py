"""Forms in the admin: a new one works at once, and its snippet is ready to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from leads import conf
from leads.models import FormField, LandingForm, RefusedForm, Submission

if TYPE_CHECKING:
    _LandingFormAdmin = admin.ModelAdmin[LandingForm]
    _FieldInline = admin.TabularInline[FormField, LandingForm]
else:
    _LandingFormAdmin = admin.ModelAdmin
    _FieldInline = admin.TabularInline


class FormFieldInline(_FieldInline):
    """What the note calls the form's own fields."""

    model = FormField
    fields = ("name", "label", "position")
    extra = 1


class LandingFormAdmin(_LandingFormAdmin):
    """Operators make and change forms; one that was ever sent can only be switched off."""

    change_form_template = "admin/leads/landingform/change_form.html"
    list_display = ("title", "slug", "is_active", "told_stage", "tags", "next_page")
    list_filter = ("is_active",)
    search_fields = ("slug", "title")
    inlines = (FormFieldInline,)
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def get_fieldsets(self, request: HttpRequest, obj: LandingForm | None = None) -> Any:
        """The stage of the settings stands in the place of the form's own."""
        what = {"fields": ("title", "slug", "is_active")}
        pages = {"fields": ("allowed_origins", "next_page")}
        crm = {"fields": ("lead_name", _stage_field(obj), "tags", "responsible_user")}
        return [(None, what), (_("In amoCRM"), crm), (_("Pages"), pages)]

    def get_readonly_fields(self, request: HttpRequest, obj: LandingForm | None = None) -> Any:
        """An address that pages use stays."""
        return ("told_stage", "slug") if obj else ("told_stage",)

    def has_delete_permission(self, request: HttpRequest, obj: LandingForm | None = None) -> bool:
        """Not what was sent, nor the first two."""
        if obj is not None and _is_used(obj):
            return False
        return super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """None: each form is looked at before it goes."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """As usual, with what is to be pasted into a page."""
        if form := context.get("original"):
            context |= _snippet(request, form)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        """Its own page to try a form."""
        page = self.admin_site.admin_view(self.try_it)
        return [path("<slug:slug>/try/", page, name="leads_landingform_try"), *super().get_urls()]

    def try_it(self, request: HttpRequest, slug: str) -> HttpResponse:
        """The form as its snippet makes it. What is sent here is a real submission."""
        form = self.get_object(request, slug)
        if form is None:
            raise Http404
        if not self.has_view_permission(request, form):
            raise PermissionDenied
        page = {
            **self.admin_site.each_context(request),
            **_snippet(request, form),
            "title": form.title,
            "original": form,
            "opts": self.opts,
            "crm_url": conf.current().crm_url,
            "submissions": reverse("admin:leads_submission_changelist"),
        }
        return render(request, "admin/leads/landingform/try.html", page)

    @admin.display(description=_("stage"))
    def told_stage(self, form: LandingForm) -> str:
        """Whose stage counts: that of the settings before its own."""
        setting = conf.current().stages.get(form.slug)
        if setting:
            return _("%(stage)s, from the settings") % {"stage": setting}
        return str(form.stage or "—")


def _stage_field(form: LandingForm | None) -> str:
    return "told_stage" if form and conf.current().stages.get(form.slug) else "stage"


def _is_used(form: LandingForm) -> bool:
    is_sent = any(rows.objects.filter(form=form).exists() for rows in (Submission, RefusedForm))
    return is_sent or form.slug in LandingForm.FIRST


def _snippet(request: HttpRequest, form: LandingForm) -> dict[str, Any]:
    """The form as a page has it, with JavaScript and without, and its address alone."""
    address = request.build_absolute_uri(reverse("leads:form", args=[form.slug]))
    parts = {
        "landing_form": form,
        "address": address,
        "script": request.build_absolute_uri(static("leads/landing.js")),
    }
    return {"address": address, "snippet": render_to_string("leads/snippet.html", parts)}
