"""E-mails and phones that identify nobody, beside ``IGNORED_IDENTITIES``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from amocrm import conf
from amocrm.admin.common import LEAD_ON_ITS_WAY, ModelAdmin
from amocrm.identity import IdentityKey, parse_email, parse_phone
from amocrm.ledger import ignored
from amocrm.models import Identity, IgnoredIdentity, Person

if TYPE_CHECKING:
    _Form = forms.ModelForm[IgnoredIdentity]
else:
    _Form = forms.ModelForm


class IgnoredIdentityForm(_Form):
    """One e-mail or phone, as people type it."""

    value = forms.CharField(
        label=_("E-mail or phone"),
        max_length=320,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    class Meta:
        model = IgnoredIdentity
        fields = ("value", "reason")

    def clean(self) -> dict[str, Any]:
        """Read the value as forms are read; one that is there already is an error."""
        cleaned: dict[str, Any] = super().clean() or {}
        typed, settings = cleaned.get("value", ""), conf.current()
        email, phone = parse_email(typed), parse_phone(typed, settings.phone_region)
        if typed and not (email or phone):
            self.add_error("value", _("This is neither an e-mail nor a phone."))
            return cleaned
        self.instance.account = settings.account
        self.instance.kind = "email" if email else "phone"
        cleaned["value"] = email or phone
        same = {"account": settings.account, "kind": self.instance.kind, "value": email or phone}
        if IgnoredIdentity.objects.filter(**same).exists():
            self.add_error("value", _("This is in the list already."))
        elif Person.objects.filter(
            identities__in=Identity.objects.filter(**same), creating_since__isnull=False
        ).exists():
            self.add_error("value", LEAD_ON_ITS_WAY)
        return cleaned


@admin.register(IgnoredIdentity)
class IgnoredIdentityAdmin(ModelAdmin):
    """Added and removed, never edited: a row that is gone identifies somebody again."""

    form = IgnoredIdentityForm
    list_display = ("value", "kind", "people", "added_at", "added_by_whom", "reason")
    list_filter = ("kind", "added_at")
    search_fields = ("value", "reason")
    list_per_page = 50
    ordering = ("-added_at",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is nothing to edit in a row."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """It identifies nobody from now on; who has said so is written down."""
        by = request.user.get_username()
        ignored.ignore(obj.account, IdentityKey(obj.kind, obj.value), by=by, reason=obj.reason)
        obj.pk = IgnoredIdentity.objects.get(account=obj.account, kind=obj.kind, value=obj.value).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """It identifies again."""
        self.delete_queryset(request, IgnoredIdentity.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[IgnoredIdentity]) -> None:
        """They identify again."""
        ignored.restore(queryset)

    @admin.display(description=_("added by"), ordering="added_by")
    def added_by_whom(self, row: IgnoredIdentity) -> str:
        """An operator, or the service itself, which has counted whom it names."""
        return row.added_by or str(_("the service: it names too many"))
