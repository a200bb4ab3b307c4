"""Senders in the admin. A key is shown when it is made, and never again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from leads.forms.senders import new_key
from leads.models import Sender

if TYPE_CHECKING:
    _SenderAdmin = admin.ModelAdmin[Sender]
else:
    _SenderAdmin = admin.ModelAdmin


class SenderAdmin(_SenderAdmin):
    """Whoever has a key has a limit of its own."""

    change_form_template = "admin/leads/sender/change_form.html"
    list_display = ("name", "form", "is_active", "per_minute", "wants_200", "key_start")
    list_filter = ("is_active", "form")
    list_select_related = ("form",)
    fields = ("name", "form", "per_minute", "wants_200", "is_active", "key_start", "created_at")
    readonly_fields = ("key_start", "created_at")

    def save_model(self, request: HttpRequest, obj: Sender, form: Any, change: bool) -> None:
        """A new sender gets a key."""
        key = None if change else new_key(obj)
        super().save_model(request, obj, form, change)
        if key:
            _show(request, obj, key)

    def get_urls(self) -> list[Any]:
        """The button for another key."""
        replace = self.admin_site.admin_view(require_POST(self.replace_key))
        return [
            path("<int:pk>/new-key/", replace, name="leads_sender_new_key"),
            *super().get_urls(),
        ]

    def replace_key(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Another key: the one before is worth nothing from now on."""
        sender = self.get_object(request, str(pk))
        if sender is None:
            raise Http404
        if not self.has_change_permission(request, sender):
            raise PermissionDenied
        key = new_key(sender)
        sender.save(update_fields=("key_start", "key_digest"))
        self.log_change(request, sender, _("A new key"))
        _show(request, sender, key)
        return HttpResponseRedirect(reverse("admin:leads_sender_change", args=[pk]))


def _show(request: HttpRequest, sender: Sender, key: str) -> None:
    address = request.build_absolute_uri(reverse("leads:form", args=[sender.form_id]))
    text = format_html(
        "{}<br><code>{}</code><br>{}<br><code>{}?key={}</code>",
        _("The key, which is shown only now; send it as X-Api-Key or as a Bearer token:"),
        key,
        _("For senders that know no headers, the address with the key in it:"),
        address,
        key,
    )
    messages.success(request, text)
