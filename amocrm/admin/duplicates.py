"""Leads of a person beside the recorded one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from amocrm.admin import common
from amocrm.admin.common import ModelAdmin, ReadOnly
from amocrm.diagnostics.duplicate_search import last_search
from amocrm.ledger import duplicates
from amocrm.models import DuplicateLead
from amocrm.text import times


class _DealtWithFilter(admin.SimpleListFilter):
    title = _("dealt with")
    parameter_name = "dealt_with"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """What there is to choose."""
        return [("no", _("not yet")), ("yes", _("dealt with"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the choice; all of them without one, and with one that is none."""
        chosen = {"no": True, "yes": False}.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(dealt_with_at__isnull=chosen)


@admin.register(DuplicateLead)
class DuplicateLeadAdmin(ReadOnly, ModelAdmin):
    """Leads of a person beside the recorded one: to be merged by hand in amoCRM."""

    list_display = (
        "crm_lead",
        "kept_lead",
        "state",
        "dealt_with_when",
        "person",
        "origin",
        "found_at",
    )
    list_filter = (_DealtWithFilter, "state", "origin", "found_at")
    search_fields = ("=lead_id", "person__lock_name", "person__identities__value")
    list_select_related = ("person",)
    list_per_page = 50
    ordering = ("-found_at",)
    actions = ("dealt_with",)
    fields = list_display
    readonly_fields = ("crm_lead", "kept_lead", "dealt_with_when")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DuplicateLead]:
        """Without what is not another lead of the person any more."""
        return duplicates.shown(super().get_queryset(request))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, below what the last search for duplicates found."""
        context = {**(extra_context or {}), "last_search": last_search()}
        return super().changelist_view(request, context)

    def has_deal_permission(self, request: HttpRequest) -> bool:
        """Marking changes the row, though nobody edits it."""
        return request.user.has_perm("amocrm.change_duplicatelead")

    @admin.action(description=_("Dealt with"), permissions=("deal",))
    def dealt_with(self, request: HttpRequest, queryset: QuerySet[DuplicateLead]) -> None:
        """Write down who has dealt with these leads; whoever was first stays written down."""
        count = 0
        with transaction.atomic():
            for row in queryset.order_by("pk"):
                if duplicates.deal_with(row.pk, by=request.user.get_username()):
                    self.log_change(request, row, str(_("Dealt with")))
                    count += 1
        text = _("Marked as dealt with: %(count)d.") % {"count": count}
        self.message_user(request, text, messages.SUCCESS if count else messages.INFO)

    @admin.display(description=_("duplicate lead"), ordering="lead_id")
    def crm_lead(self, duplicate: DuplicateLead) -> str | SafeString:
        """The duplicate, with a link."""
        return common.lead(duplicate.person.account, duplicate.lead_id)

    @admin.display(description=_("dealt with"), ordering="dealt_with_at")
    def dealt_with_when(self, duplicate: DuplicateLead) -> str:
        """Who has dealt with it, and when."""
        if duplicate.dealt_with_at is None:
            return "—"
        return f"{duplicate.dealt_with_by}, {times.shown(duplicate.dealt_with_at)}"

    @admin.display(description=_("recorded lead"))
    def kept_lead(self, duplicate: DuplicateLead) -> str | SafeString:
        """The lead that the service keeps up to date, with a link."""
        return common.lead(duplicate.person.account, duplicate.person.lead_id)
