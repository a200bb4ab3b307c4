"""What the views of the locks say of themselves in the OpenAPI document.

The views do not know of it.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.views import APIView

from leads.api.error_schema import errors, retry_after
from locks_admin.api import answer_schemas as answers
from locks_admin.api import views
from locks_admin.audit import LONGEST_REASON
from locks_admin.monitor import history
from locks_admin.monitor.filters import SORTS
from locks_admin.monitor.lock_status import State

_YES_OR_NO = {"type": "boolean"}
_SORTS = [f"{sign}{name}" for name in SORTS for sign in ("", "-")]

_QUERY = OpenApiParameter("q", str, description="Part of a person, a holder, or a whole phone.")
_SORT = OpenApiParameter("sort", str, enum=_SORTS, description="Downwards with a minus.")
_STATE = OpenApiParameter("state", str, enum=State.values)
_STALE = OpenApiParameter("stale", _YES_OR_NO, description="Overdue or orphaned.")
_OLDER_THAN = OpenApiParameter(
    "older_than", {"type": "number", "minimum": 0}, description="Held for longer, in seconds."
)
_HOLDER_ID = OpenApiParameter("holder_id", str, description="Only if this still holds it.")
_DRY_RUN = OpenApiParameter("dry_run", _YES_OR_NO, description="Only count.")
_REASON = OpenApiParameter(
    "reason", {"type": "string", "maxLength": LONGEST_REASON}, description="For the history."
)
_LIMIT = OpenApiParameter(
    "limit",
    {
        "type": "integer",
        "minimum": 1,
        "maximum": history.MAX_LIMIT,
        "default": history.DEFAULT_LIMIT,
    },
    description="How many at most.",
)
_KEY = OpenApiParameter(
    "key",
    {"type": "string", "minLength": 1},
    OpenApiParameter.PATH,
    description="As the list calls it; slashes need no escape.",
)
_REFUSED = (400, 401, 403)


class _MonitoringToken(OpenApiAuthenticationExtension):
    target_class = "locks_admin.api.monitoring.MonitoringToken"
    name = "monitoring"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """``Authorization: Bearer <METRICS_TOKEN>``."""
        return {"type": "http", "scheme": "bearer", "description": "METRICS_TOKEN of the settings."}


class _StatusView(OpenApiViewExtension):
    target_class = views.StatusView

    def view_replacement(self) -> type[APIView]:
        """Coarse for anybody."""
        get = _described(
            operation_id="read_status",
            summary="How things stand",
            description="Coarse for anybody, whole for staff with `view_lock` and for monitoring."
            " 200 also without Redis.",
            parameters=[retry_after(503)],
            responses={200: answers.Status, **errors(401, 503)},
        )
        return _with(self.target, get=get)


class _LockListView(OpenApiViewExtension):
    target_class = views.LockListView

    def view_replacement(self) -> type[APIView]:
        """All, or those of the filters."""
        filters = [_QUERY, _STATE, _STALE, _OLDER_THAN]
        get = _described(
            operation_id="list_locks",
            summary="The locks",
            description="For staff with `view_lock`: all, or those of the filters.",
            parameters=[*filters, _SORT],
            responses={
                200: answers.Locks,
                **errors(*_REFUSED),
                **errors(503, shape=answers.LocksError),
            },
        )
        delete = _described(
            operation_id="clear_locks",
            summary="Clear locks",
            description="For staff with `delete_lock`: all, or those of the filters. A filter that"
            " is not known is an error.",
            parameters=[*filters, _DRY_RUN, _REASON],
            responses={
                200: answers.Cleared,
                **errors(*_REFUSED, 415),
                **errors(503, shape=answers.NotCleared),
            },
        )
        return _with(self.target, get=get, delete=delete)


class _LockView(OpenApiViewExtension):
    target_class = views.LockView

    def view_replacement(self) -> type[APIView]:
        """One lock."""
        delete = _described(
            operation_id="clear_lock",
            summary="Clear one lock",
            description="For staff with `delete_lock`. Only if it is stale or that old, where that"
            " is asked for.",
            parameters=[_KEY, _HOLDER_ID, _STALE, _OLDER_THAN, _DRY_RUN, _REASON],
            responses={
                200: answers.Cleared,
                **errors(*_REFUSED, 415),
                **errors(404, 409, 503, shape=answers.NotCleared),
            },
        )
        return _with(self.target, delete=delete)


class _HistoryView(OpenApiViewExtension):
    target_class = views.HistoryView

    def view_replacement(self) -> type[APIView]:
        """What happened."""
        get = _described(
            operation_id="list_lock_events",
            summary="What happened to the locks",
            description="For staff with `view_lock`: the latest events, newest first.",
            parameters=[_QUERY, _LIMIT],
            responses={
                200: answers.History,
                **errors(*_REFUSED),
                **errors(503, shape=answers.LocksError),
            },
        )
        return _with(self.target, get=get)


def _described(**described: Any) -> Any:
    return extend_schema(tags=["Locks"], **described)


def _with(view: type[APIView], **methods: Any) -> type[APIView]:
    shown = type(view.__name__, (view,), {})
    extended: type[APIView] = extend_schema_view(**methods)(shown)
    return extended
