"""The ledger and the account's state for operators: to be read, and two things to be done.

What is shown here is the mechanism that keeps one lead per person. Nobody adds, changes or
deletes it by hand; a paused account can be resumed, a duplicate marked as dealt with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from amocrm import conf
from amocrm.account.links import contact_url, lead_url
from amocrm.api import pause
from amocrm.diagnostics.duplicate_search import last_search
from amocrm.ledger import duplicates
from amocrm.models import AccountState, DuplicateLead, EventCount, Identity, Person

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _Inline = admin.TabularInline[Any, Person]
else:
    _ModelAdmin = admin.ModelAdmin
    _Inline = admin.TabularInline


class _ReadOnly:
    """Permissions of something that only the service itself writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody enters these."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits these."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes these."""
        return False


class _PartOfPerson(_ReadOnly, _Inline):
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
        settings = conf.current()
        if identity.kind != Identity.Kind.CONTACT or identity.account != settings.account:
            return identity.value
        return _link(contact_url(settings.base_url, int(identity.value)), identity.value)


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
class PersonAdmin(_ReadOnly, _ModelAdmin):
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

    @admin.display(description=_("lead"), ordering="lead_id")
    def crm_lead(self, person: Person) -> str | SafeString:
        """The recorded lead, with a link where it is of the configured account."""
        return _lead(person.account, person.lead_id)


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
class DuplicateLeadAdmin(_ReadOnly, _ModelAdmin):
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
        return _lead(duplicate.person.account, duplicate.lead_id)

    @admin.display(description=_("dealt with"), ordering="dealt_with_at")
    def dealt_with_when(self, duplicate: DuplicateLead) -> str:
        """Who has dealt with it, and when."""
        if duplicate.dealt_with_at is None:
            return "—"
        at = timezone.localtime(duplicate.dealt_with_at)
        return f"{duplicate.dealt_with_by}, {date_format(at, 'd.m.Y H:i')}"

    @admin.display(description=_("recorded lead"))
    def kept_lead(self, duplicate: DuplicateLead) -> str | SafeString:
        """The lead that the service keeps up to date, with a link."""
        return _lead(duplicate.person.account, duplicate.person.lead_id)


@admin.register(AccountState)
class AccountStateAdmin(_ReadOnly, _ModelAdmin):
    """Whether amoCRM may be asked now, and why not."""

    list_display = ("account", "paused_since", "pause_reason", "next_probe_at", "backoff_until")
    actions = ("resume_now",)

    def has_resume_permission(self, request: HttpRequest) -> bool:
        """Resuming changes the state, though nobody edits it."""
        return request.user.has_perm("amocrm.change_accountstate")

    @admin.action(description=_("Resume now"), permissions=("resume",))
    def resume_now(self, request: HttpRequest, queryset: QuerySet[AccountState]) -> None:
        """End the pause of the configured account instead of at the next probe."""
        state = queryset.filter(account=conf.current().account).first()
        if state is None:
            text = _("Only the configured account can be resumed, and it was not selected.")
            self.message_user(request, str(text), messages.WARNING)
        elif pause.resume(request.user.get_username()):
            self.log_change(request, state, str(_("Resume now")))
            self.message_user(request, str(_("Deliveries resumed.")), messages.SUCCESS)
        else:
            self.message_user(request, str(_("Deliveries were not paused.")), messages.INFO)


@admin.register(EventCount)
class EventCountAdmin(_ReadOnly, _ModelAdmin):
    """How often something unusual happened, by UTC day."""

    list_display = ("day", "event", "count")
    list_filter = ("event",)
    date_hierarchy = "day"
    ordering = ("-day", "event")


def _lead(account: str, lead_id: int | None) -> str | SafeString:
    if lead_id is None:
        return "—"
    settings = conf.current()
    if account != settings.account:
        return str(lead_id)
    return _link(lead_url(settings.base_url, lead_id), str(lead_id))


def _link(url: str, text: str) -> SafeString:
    return format_html('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, text)
