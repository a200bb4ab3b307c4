"""Two people who may be one: looked at side by side, and decided."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from amocrm import ledger
from amocrm.admin import common
from amocrm.admin.common import LEAD_ON_ITS_WAY, LONGEST_REASON, ModelAdmin, ReadOnly
from amocrm.ledger import decisions
from amocrm.models import MergeProposal, Person


class DecisionForm(forms.Form):
    """What was decided, and why."""

    decision = forms.ChoiceField(choices=[("confirm", ""), ("refuse", "")])
    reason = forms.CharField(
        label=_("Why?"),
        max_length=LONGEST_REASON,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


@admin.register(MergeProposal)
class MergeProposalAdmin(ReadOnly, ModelAdmin):
    """Proposed by deliveries; an operator says whether they are one person or two."""

    list_display = (
        "older",
        "older_lead",
        "newer",
        "newer_lead",
        "state",
        "proposed_at",
        "decided_by_whom",
    )
    list_filter = ("state", "proposed_at")
    search_fields = (
        "older__lock_name",
        "newer__lock_name",
        "older__identities__value",
        "newer__identities__value",
    )
    list_select_related = ("older", "newer")
    list_per_page = 50
    ordering = ("-proposed_at",)
    fields = ("state", "proposed_at", "decided_at", "decided_by_whom", "reason")
    readonly_fields = ("decided_by_whom",)

    def get_urls(self) -> list[URLPattern]:
        """The pages of a proposal, and where a decision is sent."""
        decide = self.admin_site.admin_view(self.decide_view)
        return [
            path("<int:row_id>/decide/", decide, name="amocrm_mergeproposal_decide"),
            *super().get_urls(),
        ]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Deciding changes the people, though nobody edits a row."""
        return request.user.has_perm("amocrm.change_mergeproposal")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Both people side by side, and the decision for whoever may make it."""
        row = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "people": [_shown(one) for one in (row.older, row.newer)] if row else [],
            "may_decide": self.has_decide_permission(request),
            "is_open": row is not None and row.state == MergeProposal.State.OPEN,
            "is_one": row is not None and row.state == MergeProposal.State.CONFIRMED,
            "decision": DecisionForm(),
        }
        return super().change_view(request, object_id, form_url, context)

    def decide_view(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """They are one person, or two."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        row = get_object_or_404(MergeProposal, pk=row_id)
        form = DecisionForm(request.POST or None)
        if form.is_valid():
            self._decide(request, row, form.cleaned_data["decision"], form.cleaned_data["reason"])
        elif request.method == "POST":
            messages.error(request, _("Say why: whoever reads the history will ask."))
        return HttpResponseRedirect(reverse("admin:amocrm_mergeproposal_change", args=[row_id]))

    def _decide(self, request: HttpRequest, row: MergeProposal, decision: str, reason: str) -> None:
        decide = decisions.confirm if decision == "confirm" else decisions.refuse
        text = _("One person") if decision == "confirm" else _("Two people")
        try:
            is_decided = decide(row.pk, by=request.user.get_username(), reason=reason)
        except ledger.CreationPending:
            messages.error(request, LEAD_ON_ITS_WAY)
            return
        if is_decided:
            self.log_change(request, row, f"{text}. {reason}")
            messages.success(request, _("Decided: %(what)s.") % {"what": str(text).lower()})
        else:
            messages.info(request, _("It was decided already."))

    @admin.display(description=_("lead"))
    def older_lead(self, row: MergeProposal) -> str | SafeString:
        """The recorded lead of the first one."""
        return common.lead(row.older.account, row.older.lead_id)

    @admin.display(description=_("lead"))
    def newer_lead(self, row: MergeProposal) -> str | SafeString:
        """The recorded lead of the second one."""
        return common.lead(row.newer.account, row.newer.lead_id)

    @admin.display(description=_("decided by"), ordering="decided_by")
    def decided_by_whom(self, row: MergeProposal) -> str:
        """An operator, or the service itself, which has found whom something else had joined."""
        if row.decided_by or row.state == MergeProposal.State.OPEN:
            return row.decided_by or "—"
        return str(_("the service: %(what)s names too many") % {"what": row.reason})


def _shown(person: Person) -> dict[str, Any]:
    state = ledger.read(person.pk)
    return {
        "person": person,
        "names": sorted(key.value for key in state.searchable),
        "contacts": [common.contact(person.account, one) for one in sorted(state.contacts)],
        "lead": common.lead(person.account, person.lead_id),
    }
