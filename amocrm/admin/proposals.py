"""Two people who may be one: looked at side by side, and decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from amocrm import ledger
from amocrm.admin import common
from amocrm.admin.common import LEAD_ON_ITS_WAY, LONGEST_REASON, ModelAdmin, ReadOnly
from amocrm.ledger import decisions
from amocrm.locks.names import PREFIX
from amocrm.models import MergeProposal, Person


class DecisionForm(forms.Form):
    """Why it was decided so; what was decided is the button."""

    reason = forms.CharField(
        label=_("Why?"),
        max_length=LONGEST_REASON,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


@admin.register(MergeProposal)
class MergeProposalAdmin(ReadOnly, ModelAdmin):
    """Proposed by deliveries; an operator says whether they are one person or two."""

    list_display = (
        "proposed_at",
        "state",
        "older_name",
        "older_lead",
        "newer_name",
        "newer_lead",
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

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Deciding changes the people, though nobody edits a row."""
        return request.user.has_perm("amocrm.change_mergeproposal")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list under its own name."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {**(extra_context or {}), "title": title})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Both people side by side, and the decision for whoever may make it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        form = DecisionForm(request.POST or None)
        if request.method == "POST":
            if not self.has_decide_permission(request):
                raise PermissionDenied
            if form.is_valid() and {"confirm", "refuse"} & request.POST.keys():
                decide = decisions.confirm if "confirm" in request.POST else decisions.refuse
                return self._decide(request, row, decide, form.cleaned_data["reason"])
        context = {
            **self.admin_site.each_context(request),
            "title": _("Are they one person?"),
            "opts": self.opts,
            "row": row,
            "decided_by": self.decided_by_whom(row),
            "people": [_shown(one) for one in (row.older, row.newer)],
            "may_decide": self.has_decide_permission(request),
            "form": form,
        }
        return TemplateResponse(request, "admin/amocrm/mergeproposal/decide.html", context)

    def _decide(
        self,
        request: HttpRequest,
        row: MergeProposal,
        decide: Callable[..., bool],
        reason: str,
    ) -> HttpResponse:
        try:
            is_decided = decide(row.pk, by=request.user.get_username(), reason=reason)
        except ledger.CreationPending:
            messages.error(request, LEAD_ON_ITS_WAY)
        else:
            row.refresh_from_db()
            if is_decided:
                text = _("Decided: %(what)s.") % {"what": row.get_state_display()}
                self.log_change(request, row, f"{text} {reason}")
                messages.success(request, text)
            else:
                messages.info(request, _("It was decided already."))
        return HttpResponseRedirect(reverse("admin:amocrm_mergeproposal_change", args=[row.pk]))

    @admin.display(description=_("person"), ordering="older__lock_name")
    def older_name(self, row: MergeProposal) -> str:
        """What the first one is called, as short as can be."""
        return row.older.lock_name.removeprefix(PREFIX)

    @admin.display(description=_("other person"), ordering="newer__lock_name")
    def newer_name(self, row: MergeProposal) -> str:
        """What the second one is called."""
        return row.newer.lock_name.removeprefix(PREFIX)

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
