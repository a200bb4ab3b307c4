"""The JSON twin of the page: how the locks stand, which there are, and clearing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from rest_framework import status as http
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, ValidationError
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amocrm.locks import clearing, health
from amocrm.locks.clearing import ClearResult
from amocrm.redis_clients import REDIS_ERRORS
from leads.api.authentication import AdminSession
from locks_admin import audit
from locks_admin.api import payloads, status
from locks_admin.api.monitoring import MonitoringToken, WrongMetricsToken, may_see_all
from locks_admin.masking import Masker
from locks_admin.monitor import history, lock_status
from locks_admin.monitor.filters import BadFilter, LockFilter, flag, ordered
from locks_admin.monitor.lock_status import LockStatus

ExceptionHandler = Callable[[Exception, dict[str, Any]], Response | None]

DEFAULT_REASON = "cleared through the API"


class MayManageLocks(BasePermission):
    """Staff with ``view_lock`` may look, with ``delete_lock`` clear."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the request's user is staff and has what its method needs."""
        needed = "delete_lock" if request.method == "DELETE" else "view_lock"
        return request.user.is_staff and request.user.has_perm(f"locks_admin.{needed}")


class LocksView(APIView):
    """What the endpoints have in common: who may, and how errors look."""

    permission_classes: Sequence[type[BasePermission]] = (MayManageLocks,)
    http_method_names = ("get", "head", "delete")

    def get_exception_handler(self) -> ExceptionHandler:
        """The project's handler; a 401 tells how to get a token, a failing Redis is a 503."""
        inner = cast(ExceptionHandler, super().get_exception_handler())

        def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
            if isinstance(exc, REDIS_ERRORS):
                return payloads.redis_down(exc, listing=self.request.method != "DELETE")
            if isinstance(exc, BadFilter):
                exc = ValidationError({name: [str(exc)] for name in exc.names})
            response = inner(exc, context)
            if response is not None and isinstance(exc, WrongMetricsToken):
                response.data = {"success": False, "error": str(exc.detail)}
            elif response is not None and isinstance(exc, NotAuthenticated | AuthenticationFailed):
                response.data = payloads.needs_login(str(exc.detail))
            return response

        return handle


class StatusView(LocksView):
    """``GET /api/admin/amocrm-locks/status``: coarse for anybody, whole for those who may."""

    authentication_classes = (MonitoringToken, TokenAuthentication, AdminSession)
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        """How things stand; 200 also without Redis, 401 to a token that is wrong."""
        standing = status.standing()
        if may_see_all(request):
            return Response(status.whole_status(standing, Masker.for_user(request.user)))
        return Response(status.open_status(standing))


class LockListView(LocksView):
    """``/api/admin/amocrm-locks``: the locks, all or ``?q= state= stale= older_than=``."""

    def get(self, request: Request) -> Response:
        """List them, in the order of ``sort``."""
        masker = Masker.for_user(request.user)
        sort = request.query_params.get("sort", "")
        locks = ordered(_filtered(request, masker), sort, masker)
        return Response(payloads.listing(health.check(), locks, masker))

    def delete(self, request: Request) -> Response:
        """Clear them; ``dry_run=true`` only counts, ``reason`` goes into the history."""
        _know_all(request, {*LockFilter.NAMES, "dry_run", "reason"})
        masker = Masker.for_user(request.user)
        locks = _filtered(request, masker)
        if flag(request.query_params, "dry_run"):
            return Response(payloads.would_clear(len(locks)))
        results = _clear(request, locks, masker)
        if unknown := results[ClearResult.UNKNOWN]:
            return payloads.unknown_outcome(unknown, cleared=results[ClearResult.CLEARED])
        return Response(payloads.cleared(results[ClearResult.CLEARED]))


class LockView(LocksView):
    """``/api/admin/amocrm-locks/<key>``: one lock."""

    def delete(self, request: Request, key: str) -> Response:
        """Clear it: 404 if it is not there, 409 if its holder is not ``holder_id``.

        ``stale`` and ``older_than`` clear it only if it is that, ``dry_run`` clears nothing.
        """
        _know_all(request, {"holder_id", "stale", "older_than", "dry_run", "reason"})
        masker = Masker.for_user(request.user)
        locks = _listed_as(key, masker)
        if not locks:
            return payloads.not_cleared(ClearResult.MISSING)
        holder_id = request.query_params.get("holder_id")
        meant = [lock for lock in locks if holder_id in (None, lock.holder_id)]
        if len(meant) > 1:
            return payloads.refusal(
                http.HTTP_409_CONFLICT, _("Several locks look like this one: add its holder_id.")
            )
        if not meant:
            return payloads.not_cleared(ClearResult.CHANGED)
        chosen = LockFilter.read(request.query_params).apply(meant, masker)
        if flag(request.query_params, "dry_run"):
            return Response(payloads.would_clear(len(chosen)))
        return _cleared_one(_clear(request, chosen, masker))


class HistoryView(LocksView):
    """``GET /api/admin/amocrm-locks/history?q=&limit=``: what happened lately."""

    def get(self, request: Request) -> Response:
        """The latest events, newest first."""
        masker = Masker.for_user(request.user)
        limit = history.read_limit(request.query_params.get("limit", ""))
        query = request.query_params.get("q", "")
        held = {lock.holder_id for lock in lock_status.read()}
        found = history.latest(limit, masker, query=query, held=held)
        return Response(payloads.events(found, masker))


def _filtered(request: Request, masker: Masker) -> list[LockStatus]:
    return LockFilter.read(request.query_params).apply(lock_status.read(), masker)


def _listed_as(key: str, masker: Masker) -> list[LockStatus]:
    """The lock that the list calls ``key``; of masked names there may be several."""
    if masker.full:
        lock = lock_status.read_one(key)
        return [] if lock is None else [lock]
    return [lock for lock in lock_status.read() if key in (lock.name, masker.name(lock.name))]


def _know_all(request: Request, known: set[str]) -> None:
    """Refuse what would be ignored: nobody means to clear more than was asked for."""
    if unknown := sorted(set(request.query_params) - known):
        text = _("Unknown filter: %(names)s") % {"names": ", ".join(unknown)}
        raise BadFilter(text, *unknown)
    if request.data:
        raise BadFilter(_("Put the filters into the address, not into a body."), "body")


def _clear(request: Request, locks: Sequence[LockStatus], masker: Masker) -> Counter[ClearResult]:
    user = cast(User, request.user)
    why = audit.reason(request.query_params.get("reason", "")) or DEFAULT_REASON
    outcome = clearing.clear(locks, by=user.get_username(), why=why)
    audit.log_cleared(user, outcome, masker, why=why)
    return Counter(one.result for one in outcome)


def _cleared_one(results: Counter[ClearResult]) -> Response:
    for result in payloads.REFUSALS:
        if results[result]:
            return payloads.not_cleared(result)
    if results[ClearResult.UNKNOWN]:
        return payloads.unknown_outcome(1, cleared=0)
    return Response(payloads.cleared(results[ClearResult.CLEARED]))
