"""The locks' page in the admin: looking, clearing after a confirmation, resuming the CRM.

None of the inherited addresses is kept: they would query a table that does not exist.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from amocrm.api import pause
from amocrm.locks import clearing
from amocrm.locks.clearing import ClearResult
from amocrm.redis_clients import REDIS_ERRORS
from locks_admin import audit
from locks_admin.labels import CLEAR_RESULTS
from locks_admin.masking import Masker
from locks_admin.models import Lock
from locks_admin.monitor import lock_status
from locks_admin.page.context import page_context
from locks_admin.page.selection import Selection

if TYPE_CHECKING:
    _LockAdmin = admin.ModelAdmin[Lock]
else:
    _LockAdmin = admin.ModelAdmin

REFRESH_SECONDS = 2
_LEVELS = {
    ClearResult.CLEARED: messages.SUCCESS,
    ClearResult.UNKNOWN: messages.ERROR,
    ClearResult.NOT_A_LOCK: messages.WARNING,
    ClearResult.CHANGED: messages.WARNING,
    ClearResult.MISSING: messages.INFO,
}


@admin.register(Lock)
class LockAdmin(_LockAdmin):
    """Locks are taken and let go by deliveries: here they are watched and cleared."""

    def get_urls(self) -> list[URLPattern]:
        """The page, its live part, clearing and resuming."""
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="locks_admin_lock_changelist"),
            path("live/", view(self.live_view), name="locks_admin_lock_live"),
            path("clear/", view(self.clear_view), name="locks_admin_lock_clear"),
            path("resume/", view(self.resume_view), name="locks_admin_lock_resume"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds a lock by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Lock | None = None) -> bool:
        """There is nothing in a lock to change."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The whole page."""
        self._require_view(request)
        context = {
            **self._context(request, _("Locks")),
            **page_context(request.GET, _user(request)),
            "refresh_seconds": REFRESH_SECONDS,
        }
        return TemplateResponse(request, "admin/locks_admin/lock/page.html", context)

    @method_decorator(never_cache)
    def live_view(self, request: HttpRequest) -> HttpResponse:
        """The part of the page that changes, as the page fetches it every two seconds."""
        self._require_view(request)
        context = {
            **self._context(request, ""),
            **page_context(request.GET, _user(request)),
        }
        return TemplateResponse(request, "admin/locks_admin/lock/live.html", context)

    def clear_view(self, request: HttpRequest) -> HttpResponse:
        """Show what would be cleared; cleared it is once that comes back with a reason.

        Whoever comes without a form, as after logging in again, has to choose again.
        """
        self._require_delete(request)
        if request.method != "POST":
            messages.info(request, _("Nothing was cleared: choose again."))
            return _back()
        try:
            locks = lock_status.read()
            if "confirmed" not in request.POST:
                return self._confirm(request, Selection.of_form(request.POST, locks))
            tokens = request.POST.get("shown", "").splitlines()
            selection = Selection.of_tokens(tokens, locks)
            why = audit.reason(request.POST.get("reason", ""))
            if not why:
                return self._confirm(request, selection, reason_missing=True)
            user = _user(request)
            outcome = clearing.clear(selection.locks, by=user.get_username(), why=why)
            audit.log_cleared(user, outcome, Masker.for_user(user), why=why)
            _report(request, selection, Counter(one.result for one in outcome))
        except REDIS_ERRORS as error:
            text = _("Redis does not answer, so nothing was cleared: %(error)s")
            messages.error(request, text % {"error": error})
        return _back()

    def resume_view(self, request: HttpRequest) -> HttpResponse:
        """End the CRM's pause now instead of at the next probe."""
        self._require_delete(request)
        if request.method != "POST":
            return _back()
        if pause.resume(_user(request).get_username()):
            messages.success(request, _("Deliveries resumed."))
        else:
            messages.info(request, _("Deliveries were not paused any more."))
        return _back()

    def _confirm(
        self, request: HttpRequest, selection: Selection, *, reason_missing: bool = False
    ) -> HttpResponse:
        if not selection.locks:
            _report(request, selection, Counter())
            if not (selection.changed or selection.gone):
                messages.warning(request, _("No lock was chosen, so there is nothing to clear."))
            return _back()
        context = {
            **self._context(request, _("Clear locks?")),
            "selection": selection,
            "masker": Masker.for_user(request.user),
            "delivering": sum(lock.is_delivering for lock in selection.locks),
            "reason_missing": reason_missing,
            "longest_reason": audit.LONGEST_REASON,
        }
        return TemplateResponse(request, "admin/locks_admin/lock/confirm.html", context)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "may_clear": self.has_delete_permission(request),
        }

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _require_delete(self, request: HttpRequest) -> None:
        if not self.has_delete_permission(request):
            raise PermissionDenied


def _report(request: HttpRequest, selection: Selection, results: Counter[ClearResult]) -> None:
    left = {ClearResult.CHANGED: selection.changed, ClearResult.MISSING: selection.gone}
    counts = results + Counter(left)
    for result, level in _LEVELS.items():
        if count := counts[result]:
            messages.add_message(request, level, CLEAR_RESULTS[result] % {"count": count})


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:locks_admin_lock_changelist"))
