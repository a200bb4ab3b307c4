"""Whether amoCRM may be asked, and what happened how often."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from amocrm import conf
from amocrm.admin.common import ModelAdmin, ReadOnly
from amocrm.api import pause
from amocrm.models import AccountState, EventCount


@admin.register(AccountState)
class AccountStateAdmin(ReadOnly, ModelAdmin):
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
class EventCountAdmin(ReadOnly, ModelAdmin):
    """How often something unusual happened, by UTC day."""

    list_display = ("day", "event", "count")
    list_filter = ("event",)
    date_hierarchy = "day"
    ordering = ("-day", "event")
