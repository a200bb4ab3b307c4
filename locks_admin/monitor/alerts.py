"""What is wrong now, in plain words, and what to type about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.utils import timezone
from django.utils.translation import gettext as _

from amocrm.counters import Event
from amocrm.diagnostics import faults
from amocrm.diagnostics.finding import Finding
from amocrm.locks.health import Health
from amocrm.text.masking import mask
from leads.delivery.backlog import Backlog
from locks_admin.formats import duration
from locks_admin.monitor.lock_status import LockStatus, State
from locks_admin.monitor.stats import Deliveries

LATE_SECONDS = 60


def find(
    redis: Health,
    deliveries: Deliveries,
    locks: Sequence[LockStatus],
    *,
    counted: Mapping[str, int],
    proposals: int = 0,
    unreadable: str = "",
) -> list[Finding]:
    """Everything that is wrong now, what is critical first.

    ``counted``: the events of today, by :func:`amocrm.counters.totals`. ``proposals``: how many
    pairs of people wait for a decision. ``unreadable``: why the locks cannot be listed although
    Redis answers.
    """
    found = [
        faults.of_redis(redis),
        _unreadable(unreadable) if unreadable else None,
        faults.of_pause(deliveries.paused) if deliveries.paused else None,
        faults.of_token(timezone.now()),
        _late(redis, deliveries),
        _undelivered(deliveries.backlog),
        faults.of_missing_stage(counted[Event.STAGE_MISSING]),
        _of_proposals(proposals),
        _of_crowds(counted),
        *_of_locks(locks),
    ]
    return sorted(filter(None, found), key=lambda alert: not alert.critical)


def _unreadable(error: str) -> Finding:
    return Finding(
        "error",
        "locks",
        _("Redis answers, but not when it is asked for the locks: %(error)s") % {"error": error},
        code="unreadable",
        title=_("The locks cannot be listed"),
        commands=("redis-cli ping", "redis-cli acl whoami", "redis-cli slowlog get"),
    )


def _late(redis: Health, deliveries: Deliveries) -> Finding | None:
    late = deliveries.oldest_due_seconds
    if late is None or late < LATE_SECONDS:
        return None
    if deliveries.paused or (redis.enabled and not redis.available):
        return None  # that is why, and it is said already
    return Finding(
        "error",
        "deliveries",
        _("A submission has been due for %(time)s.") % {"time": duration(late * 1000)},
        _(
            "The Celery worker or beat may not be running; this delivers by hand, and safely "
            "beside them:"
        ),
        code="late",
        title=_("Nobody delivers"),
        commands=(".venv/bin/python manage.py deliver_leads",),
        critical=True,
    )


def _undelivered(backlog: Backlog) -> Finding | None:
    """Told beside its cause, too: that does not say how many wait, and since when."""
    if not backlog.is_late:
        return None
    # Masked for everybody: amoCRM's words and the names of locks may hold people.
    reason = mask(backlog.reason) or _("no attempt was made yet")
    return Finding(
        "error",
        "deliveries",
        _(
            "Submissions that were accepted and are not delivered: %(count)d, the oldest for "
            "%(time)s. The most frequent reason: %(reason)s."
        )
        % {
            "count": backlog.count,
            "time": duration(backlog.oldest_ms or 0),
            "reason": reason.rstrip("."),
        },
        _(
            "They are tried again by themselves; the list of submissions shows each with its "
            "attempts."
        ),
        code="undelivered",
        title=_("Submissions are not delivered"),
        commands=(faults.CHECK_COMMAND,),
        critical=True,
    )


def _of_proposals(proposals: int) -> Finding | None:
    if not proposals:
        return None
    return Finding(
        "warning",
        "people",
        _(
            "Forms have named two people together whom amoCRM knows as two: each has stayed as it "
            "was (pairs: %(count)d)."
        )
        % {"count": proposals},
        _("Whether they are one or two is decided in the list of merge proposals."),
        code="proposals",
        title=_("People who may be one wait for a decision"),
    )


def _of_crowds(counted: Mapping[str, int]) -> Finding | None:
    shared, beyond = counted[Event.NAMES_TOO_MANY], counted[Event.NOT_ATTACHED]
    if not (shared or beyond):
        return None
    return Finding(
        "warning",
        "people",
        _(
            "Today: e-mails and phones that name too many people and identify nobody from now on: "
            "%(shared)d; those that were not attached, because the person has gathered enough: "
            "%(beyond)d."
        )
        % {"shared": shared, "beyond": beyond},
        _("The first are in the list of ignored identities; the notes name the others."),
        code="crowds",
        title=_("An e-mail or phone of many people"),
    )


def _of_locks(locks: Sequence[LockStatus]) -> Iterable[Finding]:
    states = {lock.state for lock in locks}
    if State.ORPHAN in states:
        yield Finding(
            "warning",
            "locks",
            _(
                "Whoever took them does not deliver any more: a worker was killed, or the "
                "delivery has just ended. They run out by themselves; clearing them is safe."
            ),
            code="orphan",
            title=_("Some locks are orphaned"),
        )
    if State.OVERDUE in states:
        yield Finding(
            "warning",
            "locks",
            _(
                "They have been held for longer than LOCK_TTL by a delivery that still runs: "
                "amoCRM may be slow. Clearing one stops that delivery, which is tried again."
            ),
            code="overdue",
            title=_("Some locks are overdue"),
        )
    if any(lock.ttl_ms is None for lock in locks):
        yield Finding(
            "warning",
            "locks",
            _("This service always sets a time to live: somebody else wrote or changed them."),
            code="endless",
            title=_("Some locks never expire"),
        )
