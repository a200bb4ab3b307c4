"""The JSON bodies, key by key as they are documented. Nothing in them is translated but errors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import status as http
from rest_framework.response import Response

from amocrm.locks.clearing import ClearResult
from amocrm.locks.health import Health
from amocrm.locks.history import LockEvent
from locks_admin.labels import CLEAR_RESULTS
from locks_admin.masking import Masker
from locks_admin.monitor.lock_status import LockStatus

# One lock that was to be cleared and was not: the status, and why.
REFUSALS = {
    ClearResult.MISSING: (http.HTTP_404_NOT_FOUND, gettext_lazy("There is no such lock.")),
    ClearResult.CHANGED: (
        http.HTTP_409_CONFLICT,
        gettext_lazy("Somebody else holds this lock now: nothing was cleared."),
    ),
    ClearResult.NOT_A_LOCK: (
        http.HTTP_409_CONFLICT,
        gettext_lazy("This key holds no lock: remove it with redis-cli."),
    ),
}

Body = dict[str, Any]


def listing(redis: Health, locks: Sequence[LockStatus], masker: Masker) -> Body:
    """The locks."""
    return {
        "success": True,
        "redis": {"connected": redis.connected, "available": redis.available},
        "locks": {"count": len(locks), "items": [_item(lock, masker) for lock in locks]},
        "timestamp": now(),
    }


def events(found: Sequence[LockEvent], masker: Masker) -> Body:
    """The latest events, newest first."""
    return {
        "success": True,
        "events": [
            {
                "at": iso(event.at),
                "kind": str(event.kind),
                "key": masker.name(event.name),
                "holder_id": event.holder_id,
                "submission": event.reference,
                "waited_ms": event.waited_ms,
                "held_ms": event.held_ms,
                "by": event.by,
                "why": masker.text(event.why),
            }
            for event in found
        ],
        "timestamp": now(),
    }


def cleared(count: int) -> Body:
    """What a clear did."""
    return {
        "success": True,
        "message": f"Cleared {count} AmoCRM locks",
        "deleted": count,
        "timestamp": now(),
    }


def would_clear(count: int) -> Body:
    """What a clear would do."""
    return cleared(0) | {"message": f"Would clear {count} AmoCRM locks"}


def refusal(code: int, error: str, *, cleared: int = 0) -> Response:
    """Why not all was cleared; nothing, as a rule."""
    body = {"success": False, "error": error, "deleted": cleared, "timestamp": now()}
    return Response(body, status=code)


def not_cleared(result: ClearResult) -> Response:
    """Why one lock was left."""
    code, error = REFUSALS[result]
    return refusal(code, str(error))


def unknown_outcome(unknown: int, *, cleared: int) -> Response:
    """503 where Redis stopped answering before all were cleared."""
    error = CLEAR_RESULTS[ClearResult.UNKNOWN] % {"count": unknown}
    return refusal(http.HTTP_503_SERVICE_UNAVAILABLE, error, cleared=cleared)


def redis_down(exc: Exception, *, listing: bool) -> Response:
    """503 in the shape of the answer that was asked for."""
    error = _("Redis does not answer: %(error)s") % {"error": exc}
    if not listing:
        return refusal(http.HTTP_503_SERVICE_UNAVAILABLE, error)
    body: Body = {
        "success": False,
        "redis": {"connected": False, "available": False},
        "locks": {"count": 0, "items": []},
        "error": error,
        "timestamp": now(),
    }
    return Response(body, status=http.HTTP_503_SERVICE_UNAVAILABLE)


def needs_login(error: str) -> Body:
    """A 401 that says how to get in."""
    advice = _(
        "Get a token with “.venv/bin/python manage.py drf_create_token <username>” and send it "
        "in the header “Authorization: Token <token>”."
    )
    return {"success": False, "error": f"{error} {advice}"}


def _item(lock: LockStatus, masker: Masker) -> Body:
    seconds = None if lock.ttl_ms is None else ceil(lock.ttl_ms / 1000)
    owner = lock.holder and {
        "host": lock.holder.host,
        "pid": lock.holder.pid,
        "submission": lock.holder.reference,
        "acquired_at": iso(lock.holder.acquired_at),
    }
    return {
        "key": masker.name(lock.name),
        "ttl_ms": lock.ttl_ms,
        "ttl_seconds": seconds,
        "expires_in": "never" if seconds is None else f"{seconds}s",
        "owner": owner,
        "holder_id": lock.holder_id,
        "held_ms": lock.held_ms,
        "state": str(lock.state),
        "waiting": lock.waiting,
    }


def now() -> str:
    """The time of an answer."""
    return iso(timezone.now())


def iso(moment: datetime) -> str:
    """A time as all answers write it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
