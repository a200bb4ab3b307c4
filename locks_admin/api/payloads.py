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

from amocrm import counters
from amocrm.api.pause import AccountPause
from amocrm.diagnostics import faults
from amocrm.locks.clearing import ClearResult
from amocrm.locks.health import Health
from amocrm.locks.history import LockEvent
from locks_admin.labels import CLEAR_RESULTS
from locks_admin.masking import Masker
from locks_admin.monitor import stats
from locks_admin.monitor.lock_status import LockStatus
from locks_admin.monitor.stats import Deliveries

OPERATIONAL = "✅ Lock system operational"
NOT_CONNECTED = "⚠️ Redis not connected: submissions are accepted, deliveries wait until it is back"
NOT_WRITABLE = "⚠️ Redis does not accept writes: submissions are accepted, deliveries wait"
UNREADABLE = "⚠️ Redis answers, but its locks cannot be listed: how many there are is not known"
SWITCHED_OFF = "⚠️ Locks are switched off: REDIS_ENABLED must be true"
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


def status(redis: Health, deliveries: Deliveries, active: int | None) -> Body:
    """How things stand. Holds no personal data: anybody may read it."""
    rate = stats.requests_per_second(redis)
    token = faults.of_token(timezone.now())
    return {
        "success": True,
        "system": {
            "redis_connected": redis.connected,
            "redis_available": redis.available,
            "locks_enabled": redis.enabled,
            "active_locks": active or 0,
        },
        "deliveries": {
            "due": deliveries.due,
            "failed": deliveries.failed,
            "oldest_due_seconds": deliveries.oldest_due_seconds,
            "paused": _paused(deliveries.paused),
        },
        "requests_per_second": None if rate is None else {"now": rate[0], "limit": rate[1]},
        "events": counters.totals(),
        "token_warning": token.text if token else None,
        "message": UNREADABLE if active is None else _verdict(redis),
        "timestamp": _now(),
    }


def listing(redis: Health, locks: Sequence[LockStatus], masker: Masker) -> Body:
    """The locks."""
    return {
        "success": True,
        "redis": {"connected": redis.connected, "available": redis.available},
        "locks": {"count": len(locks), "items": [_item(lock, masker) for lock in locks]},
        "timestamp": _now(),
    }


def events(found: Sequence[LockEvent], masker: Masker) -> Body:
    """The latest events, newest first."""
    return {
        "success": True,
        "events": [
            {
                "at": _iso(event.at),
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
        "timestamp": _now(),
    }


def cleared(count: int) -> Body:
    """What a clear did."""
    return {
        "success": True,
        "message": f"Cleared {count} AmoCRM locks",
        "deleted": count,
        "timestamp": _now(),
    }


def would_clear(count: int) -> Body:
    """What a clear would do."""
    return cleared(0) | {"message": f"Would clear {count} AmoCRM locks"}


def refusal(code: int, error: str, *, cleared: int = 0) -> Response:
    """Why not all was cleared; nothing, as a rule."""
    body = {"success": False, "error": error, "deleted": cleared, "timestamp": _now()}
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
        "timestamp": _now(),
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
        "acquired_at": _iso(lock.holder.acquired_at),
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


def _paused(paused: AccountPause | None) -> Body | None:
    if paused is None:
        return None
    return {
        "reason": paused.reason,
        "kind": paused.kind,
        "since": _iso(paused.since),
        "until": paused.until and _iso(paused.until),
    }


def _verdict(redis: Health) -> str:
    if not redis.enabled:
        return SWITCHED_OFF
    if not redis.connected:
        return NOT_CONNECTED
    return OPERATIONAL if redis.available else NOT_WRITABLE


def _now() -> str:
    return _iso(timezone.now())


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
