"""What is wrong, in plain words, and what to type about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from amocrm.locks.health import Health
from locks_admin.formats import in_words
from locks_admin.labels import PAUSE_HELP
from locks_admin.monitor import stats
from locks_admin.monitor.lock_status import LockStatus, State
from locks_admin.monitor.stats import Deliveries

LATE_SECONDS = 60


@dataclass(frozen=True)
class Alert:
    """One thing that is wrong. ``critical``: nothing is delivered until it is put right."""

    code: str
    title: str
    text: str
    commands: tuple[str, ...] = ()
    critical: bool = False


def find(
    redis: Health, deliveries: Deliveries, rows: Iterable[LockStatus], *, unreadable: str = ""
) -> list[Alert]:
    """Everything that is wrong now, the gravest first. ``unreadable``: why the locks cannot be
    listed although Redis answers."""
    rows = list(rows)
    crm = [*_crm(deliveries), *_token()]
    found = [*_redis(redis), *_list(unreadable), *crm, *_late(redis, deliveries), *_locks(rows)]
    return sorted(found, key=lambda trouble: not trouble.critical)


def _redis(redis: Health) -> Iterable[Alert]:
    if not redis.enabled:
        yield Alert(
            "off",
            _("Locks are switched off"),
            _(
                "REDIS_ENABLED is false: deliveries rely on the database alone and must be run "
                "by “deliver_leads --watch”. To switch the locks on:"
            ),
            (
                'grep "REDIS_ENABLED" env.env',
                "sed -i 's/REDIS_ENABLED=false/REDIS_ENABLED=true/' env.env",
            ),
        )
    elif not redis.connected:
        yield Alert(
            "redis",
            _("Redis not connected"),
            _(
                "Forms are still accepted and nothing is lost, but no lead is delivered until "
                "Redis answers; then delivery goes on by itself. It says: %(trouble)s"
            )
            % {"trouble": redis.trouble},
            (
                "redis-cli ping",
                "sudo systemctl status redis",
                "sudo systemctl start redis",
                "sudo systemctl enable redis",
            ),
            critical=True,
        )
    elif not redis.available:
        yield Alert(
            "readonly",
            _("Redis takes no writes"),
            _(
                "It answers, but a lock cannot be taken: the disk or the memory may be full, or "
                "this is a replica. It says: %(trouble)s"
            )
            % {"trouble": redis.trouble},
            ("redis-cli info memory", "redis-cli info persistence", "redis-cli info replication"),
            critical=True,
        )
    elif redis.evicts:
        yield Alert(
            "evicts",
            _("Redis may throw locks away"),
            _(
                "Its policy when memory runs out is %(policy)s, which may remove a lock that is "
                "held. No lead is doubled by that, but deliveries stop half-way and begin anew."
            )
            % {"policy": redis.evicts},
            ("redis-cli config set maxmemory-policy noeviction",),
        )


def _list(unreadable: str) -> Iterable[Alert]:
    if unreadable:
        yield Alert(
            "unreadable",
            _("The locks cannot be listed"),
            _("Redis answers, but not when it is asked for the locks: %(trouble)s")
            % {"trouble": unreadable},
            ("redis-cli ping", "redis-cli acl whoami", "redis-cli slowlog get"),
        )


def _crm(deliveries: Deliveries) -> Iterable[Alert]:
    if deliveries.paused is not None:
        yield Alert(
            "paused",
            _("amoCRM is paused"),
            " ".join(
                (
                    _("Nothing is sent to amoCRM, for everybody's sake: %(reason)s.")
                    % {"reason": deliveries.paused.reason.rstrip(".")},
                    str(PAUSE_HELP.get(deliveries.paused.kind, "")),
                )
            ).strip(),
            (".venv/bin/python manage.py amocrm_check",),
            critical=True,
        )


def _token() -> Iterable[Alert]:
    if warning := stats.token_warning():
        yield Alert(
            "token",
            _("The amoCRM access token expires soon: create a new one"),
            warning,
            (".venv/bin/python manage.py amocrm_check",),
        )


def _late(redis: Health, deliveries: Deliveries) -> Iterable[Alert]:
    late = deliveries.oldest_due_seconds
    if late is None or late < LATE_SECONDS or deliveries.paused or not _works(redis):
        return
    yield Alert(
        "late",
        _("Nobody delivers"),
        _(
            "A submission has been due for %(time)s. The Celery worker or beat may not be "
            "running; this delivers by hand, and safely beside them:"
        )
        % {"time": in_words(late * 1000)},
        (".venv/bin/python manage.py deliver_leads",),
        critical=True,
    )


def _locks(rows: list[LockStatus]) -> Iterable[Alert]:
    if any(row.state is State.ORPHAN for row in rows):
        yield Alert(
            "orphan",
            _("Some locks are orphaned"),
            _(
                "Whoever took them does not deliver any more: a worker was killed, or the "
                "delivery has just ended. They run out by themselves; clearing them is safe."
            ),
        )
    if any(row.state is State.OVERDUE for row in rows):
        yield Alert(
            "overdue",
            _("Some locks are overdue"),
            _(
                "They have been held for longer than LOCK_TTL by a delivery that still runs: "
                "amoCRM may be slow. Clearing one stops that delivery, which is tried again."
            ),
        )
    if any(row.lock.ttl_ms is None for row in rows):
        yield Alert(
            "endless",
            _("Some locks never expire"),
            _("This service always sets a time to live: somebody else wrote or changed them."),
        )


def _works(redis: Health) -> bool:
    return not redis.enabled or redis.available
