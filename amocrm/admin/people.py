"""Who is who: to be read, and to be parted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from amocrm import ledger
from amocrm.admin import common
from amocrm.admin.common import LEAD_ON_ITS_WAY, LONGEST_REASON, ModelAdmin, ReadOnly
from amocrm.identity import IdentityKey
from amocrm.ledger import PersonState, decisions, duplicates
from amocrm.ledger.decisions import CannotPart
from amocrm.models import DuplicateLead, Identity, Person

if TYPE_CHECKING:
    _Inline = admin.TabularInline[Any, Person]
else:
    _Inline = admin.TabularInline

CANNOT_PART = {
    "not_theirs": _("Something of that is not theirs any more: choose again."),
    "names_nobody": _("Choose an e-mail or a phone, too: a contact alone names nobody."),
    "nothing_left": _("Leave them an e-mail or a phone: this is all that they are named by."),
}


class PartForm(forms.Form):
    """What is taken off a person, and why."""

    keys = forms.MultipleChoiceField(
        label=_("Not theirs"), widget=forms.CheckboxSelectMultiple, choices=()
    )
    reason = forms.CharField(
        label=_("Why?"),
        max_length=LONGEST_REASON,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def __init__(self, person: PersonState, data: Any = None) -> None:
        super().__init__(data)
        self._person = person
        keys = cast(forms.MultipleChoiceField, self.fields["keys"])
        keys.choices = [
            (f"{key.kind}:{key.value}", _told(key)) for key in sorted(person.identities)
        ]

    def clean(self) -> dict[str, Any]:
        """Say before the preview what cannot be taken off."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("keys") and (code := decisions.why_not(self._person, self.chosen())):
            self.add_error("keys", CANNOT_PART[code])
        return cleaned

    def chosen(self) -> frozenset[IdentityKey]:
        """The identities that were chosen."""
        return frozenset(
            IdentityKey(kind, value)
            for kind, _colon, value in (one.partition(":") for one in self.cleaned_data["keys"])
        )


class _PartOfPerson(ReadOnly, _Inline):
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A part of the person: who may see that may see this."""
        return request.user.has_perm("amocrm.view_person")


class _IdentityInline(_PartOfPerson):
    model = Identity
    fields = readonly_fields = ("kind", "shown_value", "on_contact")
    ordering = ("kind", "value")

    @admin.display(description=_("value"))
    def shown_value(self, identity: Identity) -> str | SafeString:
        """The value; a contact of the configured account with a link."""
        if identity.kind != Identity.Kind.CONTACT:
            return identity.value
        return common.contact(identity.account, int(identity.value))


class _DuplicateInline(_PartOfPerson):
    model = DuplicateLead
    fields = readonly_fields = (
        "lead_id",
        "origin",
        "state",
        "found_at",
        "dealt_with_at",
        "dealt_with_by",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[DuplicateLead]:
        """Without what is not another lead of theirs any more."""
        return duplicates.shown(super().get_queryset(request))


@admin.register(Person)
class PersonAdmin(ReadOnly, ModelAdmin):
    """Who is who in the CRM, and the lead that is recorded for them."""

    list_display = ("lock_name", "crm_lead", "lead_recorded_at", "creating_since", "account")
    list_filter = (("creating_since", admin.EmptyFieldListFilter), "account")
    search_fields = ("lock_name", "=lead_id", "identities__value")
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-id",)
    inlines = (_IdentityInline, _DuplicateInline)
    fields = (
        "lock_name",
        "account",
        "crm_lead",
        "lead_recorded_at",
        "creating_since",
        "creating_ref",
        "version",
        "merged_into",
    )
    readonly_fields = ("crm_lead",)

    def get_urls(self) -> list[URLPattern]:
        """The pages of a person, and the one that takes something off them."""
        part = self.admin_site.admin_view(self.part_view)
        return [
            path("<int:person_id>/part/", part, name="amocrm_person_part"),
            *super().get_urls(),
        ]

    def has_part_permission(self, request: HttpRequest) -> bool:
        """Parting changes the person, though nobody edits it."""
        return request.user.has_perm("amocrm.change_person")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The person, with a link to part them for whoever may."""
        context = {**(extra_context or {}), "may_part": self.has_part_permission(request)}
        return super().change_view(request, object_id, form_url, context)

    def part_view(self, request: HttpRequest, person_id: int) -> HttpResponse:
        """Choose what is not theirs, see what becomes of it, and part it with a reason."""
        if not self.has_part_permission(request):
            raise PermissionDenied
        person = get_object_or_404(Person, pk=person_id, merged_into=None)
        state = ledger.read(person.pk)
        form = PartForm(state, request.POST or None)
        chosen = form.chosen() if form.is_valid() else frozenset()
        if chosen and "confirmed" in request.POST:
            return self._part(request, person, chosen, form.cleaned_data["reason"])
        context = {
            **self.admin_site.each_context(request),
            "title": _("Take off what is not theirs"),
            "opts": self.opts,
            "person": person,
            "crm_lead": self.crm_lead(person),
            "form": form,
            "taken": [_told(key) for key in sorted(chosen)],
            "stays": [_told(key) for key in sorted(state.identities - chosen)],
        }
        return TemplateResponse(request, "admin/amocrm/person/part.html", context)

    def _part(
        self, request: HttpRequest, person: Person, keys: frozenset[IdentityKey], reason: str
    ) -> HttpResponse:
        try:
            parted = decisions.part(person.pk, keys, by=request.user.get_username(), reason=reason)
        except CannotPart as error:
            messages.error(request, CANNOT_PART[error.code])
            return HttpResponseRedirect(reverse("admin:amocrm_person_part", args=[person.pk]))
        except ledger.CreationPending:
            messages.error(request, LEAD_ON_ITS_WAY)
            return HttpResponseRedirect(reverse("admin:amocrm_person_part", args=[person.pk]))
        told = ", ".join(key.value for key in sorted(keys))
        text = _("Taken off: %(what)s. %(reason)s") % {"what": told, "reason": reason}
        self.log_change(request, person, text)
        messages.success(
            request, _("%(what)s: this is another person from now on.") % {"what": told}
        )
        return HttpResponseRedirect(reverse("admin:amocrm_person_change", args=[parted.id]))

    @admin.display(description=_("lead"), ordering="lead_id")
    def crm_lead(self, person: Person) -> str | SafeString:
        """The recorded lead, with a link where it is of the configured account."""
        return common.lead(person.account, person.lead_id)


def _told(key: IdentityKey) -> str:
    return f"{Identity.Kind(key.kind).label}: {key.value}"
