"""Submissions for operators: what came, where it stands, every attempt, and "Deliver again"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from amocrm.account.links import lead_url
from leads import conf
from leads.delivery import lease
from leads.delivery.bell import bell
from leads.models import DeliveryAttempt, Submission
from leads.remarks import sentence

if TYPE_CHECKING:
    _SubmissionAdmin = admin.ModelAdmin[Submission]
    _AttemptInline = admin.TabularInline[DeliveryAttempt, Submission]
else:
    _SubmissionAdmin = admin.ModelAdmin
    _AttemptInline = admin.TabularInline


_RECEIVED = ("id", "form", "created_at", "client")
_PERSON = ("name", "email", "phone")
_SENT = (
    "source",
    "campaign_slug",
    "payment_method",
    "answers",
    "utm",
    "metadata",
    "consent",
    "told_remarks",
)
_DELIVERY = (
    "status",
    "attempts",
    "next_attempt",
    "reason",
    "waiting_for",
    "waiting_since",
    "lease_token",
    "leased_until",
    "crm_lead",
    "action",
    "delivered_at",
)


class DeliveryAttemptInline(_AttemptInline):
    """Every attempt, oldest first; those that came back for one reason are one row. Only to be
    read."""

    model = DeliveryAttempt
    fields = (
        "started_at",
        "times",
        "last_at",
        "duration_ms",
        "outcome",
        "http_status",
        "request_id",
        "error",
    )
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Attempts are made, not entered."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Attempts are a record: nobody edits them."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are a part of the submission: who may see that may see them."""
        return request.user.has_perm("leads.view_submission") or request.user.has_perm(
            "leads.change_submission"
        )


class SubmissionAdmin(_SubmissionAdmin):
    """Nothing is entered, edited or deleted here: the row is what somebody sent us."""

    list_display = (
        "created_at",
        "form",
        "name",
        "email",
        "phone",
        "status",
        "attempts",
        "next_attempt",
        "waiting_for",
        "crm_lead",
    )
    list_display_links = ("created_at", "name")
    list_select_related = ("form",)
    list_filter = ("status", "form", "action", "payment_method", "created_at")
    search_fields = ("=id", "name", "email", "phone", "waiting_for", "=lead_id", "campaign_slug")
    date_hierarchy = "created_at"
    list_per_page = 50
    show_full_result_count = False
    actions = ("deliver_again", "release")
    inlines = (DeliveryAttemptInline,)
    fieldsets = (
        (None, {"fields": _RECEIVED}),
        (_("Person"), {"fields": _PERSON}),
        (_("What was sent"), {"fields": _SENT}),
        (_("Delivery"), {"fields": _DELIVERY}),
    )
    readonly_fields = (*_RECEIVED, *_PERSON, *_SENT, *_DELIVERY)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Submissions come from landing pages."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Submissions are kept for good."""
        return False

    @admin.display(description=_("next attempt at"), ordering="next_attempt_at")
    def next_attempt(self, submission: Submission) -> datetime | None:
        """When the next attempt is, of those that are not delivered or failed."""
        is_waiting = submission.status == Submission.Status.ACCEPTED
        return submission.next_attempt_at if is_waiting else None

    @admin.display(description=_("remarks"))
    def told_remarks(self, submission: Submission) -> str | SafeString:
        """What was wrong with it, in the reader's language, a line for each."""
        told = ((sentence(one),) for one in submission.remarks)
        return format_html_join(mark_safe("<br>"), "{}", told) or "—"

    @admin.display(description=_("lead"), ordering="lead_id")
    def crm_lead(self, submission: Submission) -> str | SafeString:
        """A link to the lead in the CRM."""
        if submission.lead_id is None:
            return "—"
        return format_html(
            '<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>',
            lead_url(conf.current().crm_url, submission.lead_id),
            submission.lead_id,
        )

    @admin.action(description=_("Deliver again"), permissions=("change",))
    def deliver_again(self, request: HttpRequest, queryset: QuerySet[Submission]) -> None:
        """Give submissions that failed or wait for a retry a fresh schedule, from now on."""
        if count := self._each(request, queryset, _revive, _("Deliver again")):
            text = ngettext(
                "%(count)d submission will be delivered again.",
                "%(count)d submissions will be delivered again.",
                count,
            )
            self.message_user(request, text % {"count": count}, messages.SUCCESS)
        else:
            text = str(_("Everything selected is delivered, or is being delivered just now."))
            self.message_user(request, text, messages.WARNING)

    @admin.action(description=_("Release from quarantine"), permissions=("change",))
    def release(self, request: HttpRequest, queryset: QuerySet[Submission]) -> None:
        """Deliver what was only suspected: it is somebody's."""
        if count := self._each(request, queryset, _release, _("Release from quarantine")):
            text = ngettext(
                "%(count)d submission is released and will be delivered.",
                "%(count)d submissions are released and will be delivered.",
                count,
            )
            self.message_user(request, text % {"count": count}, messages.SUCCESS)
        else:
            text = str(_("Nothing selected is in quarantine."))
            self.message_user(request, text, messages.WARNING)

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Submission],
        change: Callable[[Submission], bool],
        what: Any,
    ) -> int:
        """Make due what ``change`` changes, and write down who did it; how many there were."""
        count = 0
        with transaction.atomic():
            for submission in queryset.order_by("pk"):
                if change(submission):
                    self.log_change(request, submission, what)
                    count += 1
            if count:
                transaction.on_commit(bell.ring)
        return count


def _release(submission: Submission) -> bool:
    kept_back = Submission.objects.filter(status=Submission.Status.QUARANTINED, pk=submission.pk)
    now = timezone.now()
    return bool(kept_back.update(status=Submission.Status.ACCEPTED, next_attempt_at=now))


def _revive(submission: Submission) -> bool:
    now = timezone.now()
    # Whoever is at it just now decides what comes next.
    undelivered = Q(status=Submission.Status.FAILED) | Q(pk__in=lease.free(now).values("pk"))
    return bool(
        Submission.objects.filter(undelivered, pk=submission.pk).update(
            status=Submission.Status.ACCEPTED,
            attempts=0,
            next_attempt_at=now,
            scheduled_at=None,
        )
    )
