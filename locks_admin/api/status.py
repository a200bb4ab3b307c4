"""How things stand, as JSON: coarse for anybody, whole for staff and monitoring."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from amocrm import counters
from amocrm.api.pause import AccountPause
from amocrm.counters import Event
from amocrm.diagnostics import faults
from amocrm.locks import health
from amocrm.locks.health import Health
from locks_admin.api.payloads import Body, iso, now
from locks_admin.masking import Masker
from locks_admin.monitor import stats
from locks_admin.monitor.stats import Deliveries

OPERATIONAL = "✅ Lock system operational"
NOT_CONNECTED = "⚠️ Redis not connected: submissions are accepted, deliveries wait until it is back"
NOT_WRITABLE = "⚠️ Redis does not accept writes: submissions are accepted, deliveries wait"
UNREADABLE = "⚠️ Redis answers, but its locks cannot be listed: how many there are is not known"
PAUSED = "⚠️ amoCRM is paused: submissions are accepted, deliveries wait"
UNDELIVERED = "⚠️ Submissions are not delivered: %d, the oldest for %d s"
SWITCHED_OFF = "⚠️ Locks are switched off: REDIS_ENABLED must be true"


@dataclass(frozen=True)
class Standing:
    """How things stand. ``active`` is the number of locks, ``rate`` the requests of the last
    second and the limit; each ``None`` where it cannot be told."""

    redis: Health
    deliveries: Deliveries
    active: int | None
    rate: tuple[float, float] | None


def standing() -> Standing:
    """Look once."""
    redis = health.check()
    return Standing(
        redis=redis,
        deliveries=stats.deliveries(),
        active=stats.active_locks(redis),
        rate=stats.requests_per_second(redis),
    )


def open_status(standing: Standing) -> Body:
    """What anybody may know: nothing in it differs between a customer and somebody new.

    ``due``, ``failed`` and ``undelivered`` may rise by one with anybody's form, and say nothing
    more. Events, amoCRM's words and the requests of a second would.
    """
    redis, deliveries, backlog = standing.redis, standing.deliveries, standing.deliveries.backlog
    return {
        "success": True,
        "system": {
            "redis_connected": redis.connected,
            "redis_available": redis.available,
            "locks_enabled": redis.enabled,
            "active_locks": standing.active or 0,
        },
        "deliveries": {
            "due": deliveries.due,
            "failed": deliveries.failed,
            "oldest_due_seconds": deliveries.oldest_due_seconds,
            "undelivered": backlog.count,
            "oldest_undelivered_seconds": backlog.oldest_seconds,
            "burst": str(deliveries.burst),
            "paused": _paused(deliveries.paused),
        },
        # An update takes more requests than a new lead: who counts them knows which it was.
        "requests_per_second": standing.rate and {"now": None, "limit": standing.rate[1]},
        "message": _verdict(standing),
        "timestamp": now(),
    }


def whole_status(standing: Standing, masker: Masker) -> Body:
    """What staff and monitoring may know beyond :func:`open_status`."""
    body = open_status(standing)
    deliveries = standing.deliveries
    if deliveries.paused:
        body["deliveries"]["paused"]["reason"] = masker.text(deliveries.paused.reason)
    body["deliveries"]["undelivered_reason"] = masker.text(deliveries.backlog.reason) or None
    if standing.rate:
        body["requests_per_second"]["now"] = standing.rate[0]
    counted = counters.totals()
    token = faults.of_token(timezone.now())
    stage = faults.of_missing_stage(counted[Event.STAGE_MISSING])
    return body | {
        "events": counted,
        "token_warning": token.text if token else None,
        "stage_warning": stage.text if stage else None,
    }


def _paused(paused: AccountPause | None) -> Body | None:
    if paused is None:
        return None
    return {
        "kind": paused.kind,
        "since": iso(paused.since),
        "until": paused.until and iso(paused.until),
    }


def _verdict(standing: Standing) -> str:
    """The worst of it in a sentence: what keeps everything from being delivered comes first."""
    redis, backlog = standing.redis, standing.deliveries.backlog
    if redis.enabled and not redis.connected:
        return NOT_CONNECTED
    if standing.active is None:
        return UNREADABLE
    if redis.enabled and not redis.available:
        return NOT_WRITABLE
    if standing.deliveries.paused:
        return PAUSED
    if backlog.is_late:
        return UNDELIVERED % (backlog.count, backlog.oldest_seconds)
    return OPERATIONAL if redis.enabled else SWITCHED_OFF
