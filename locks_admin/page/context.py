"""What the page shows, gathered for its templates."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.core.paginator import Paginator
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from amocrm import conf, counters
from amocrm.ledger import proposals
from amocrm.locks import health
from amocrm.locks.history import LockEvent
from amocrm.locks.stats import last_hour
from amocrm.redis_clients import REDIS_ERRORS
from locks_admin.labels import COLUMNS, COUNTER_NAMES
from locks_admin.masking import Masker
from locks_admin.monitor import alerts, charts, history, lock_status, stats
from locks_admin.monitor.filters import BadFilter, LockFilter, ordered
from locks_admin.monitor.lock_status import STALE, LockStatus, State

PER_PAGE = 50
HISTORY_NAMES = ("who", "of")  # its filter in the address; the locks' is LockFilter.NAMES
CHART_AGE = 30  # seconds that a chart is shown before it is made anew


def page_context(params: QueryDict, user: User | AnonymousUser) -> dict[str, Any]:
    """Everything that the live part of the page shows."""
    masker = Masker.for_user(user)
    redis = health.check()
    deliveries = stats.deliveries()
    locks, unreadable = _read(connected=redis.connected)
    lock_filter, bad_filter = _filter(params)
    found = lock_filter.apply(locks, masker)
    sort = params.get("sort", "-held")
    pages = Paginator(ordered(found, sort, masker), PER_PAGE)
    page = pages.get_page(params.get("page"))
    counted = counters.totals()
    held = None if unreadable else {lock.holder_id for lock in locks}
    return {
        "redis": redis,
        "deliveries": deliveries,
        "rate": stats.requests_per_second(redis),
        "counters": _named(counted),
        "counted_since": _utc_midnight(),
        "alerts": alerts.find(
            redis,
            deliveries,
            locks,
            counted=counted,
            proposals=proposals.undecided(conf.current().account),
            unreadable=unreadable,
        ),
        "is_known": redis.connected and not unreadable,
        "total": len(locks),
        "stale": sum(lock.state in STALE for lock in locks),
        "states": _states(locks, lock_filter.state),
        "columns": _columns(sort),
        "locks": lock_status.with_forms(list(page)),
        "page": page,
        "page_numbers": pages.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
        "found": len(found),
        "bad_filter": bad_filter,
        "filters": _filters(params),
        "history": _history(params, masker, held) if redis.connected else None,
        "who": params.get("who", ""),
        "of": params.get("of", ""),
        "charts": _charts() if redis.connected else None,
        "chart_size": {"width": charts.WIDTH, "height": charts.HEIGHT, "bar": charts.BAR},
        "now": timezone.now(),
        "masker": masker,
        "links": {
            "failed": reverse("admin:leads_submission_changelist") + "?status__exact=failed",
        },
    }


def _filter(params: QueryDict) -> tuple[LockFilter, str]:
    """The filter, and what is wrong with it: every lock is shown then."""
    try:
        return LockFilter.read(params), ""
    except BadFilter as error:
        return LockFilter(), str(error)


def _filters(params: QueryDict) -> dict[str, dict[str, Any]]:
    """What each of the two search forms keeps of the address: what belongs to the other."""
    given = {name: value for name, value in params.items() if value}
    return {
        "locks": {name: given[name] for name in given.keys() - {"q", "page"}},
        "history": {name: given[name] for name in given.keys() - {*HISTORY_NAMES, "page"}},
    }


def _read(*, connected: bool) -> tuple[list[LockStatus], str]:
    """The locks, and why they cannot be told although Redis answers."""
    if not connected:
        return [], ""
    try:
        return lock_status.read(), ""
    except REDIS_ERRORS as error:
        return [], str(error) or type(error).__name__


def _history(params: QueryDict, masker: Masker, held: set[str] | None) -> list[LockEvent] | None:
    query, of = params.get("who", ""), params.get("of", "")
    try:
        return history.latest(history.DEFAULT_LIMIT, masker, query=query, of=of, held=held)
    except REDIS_ERRORS:
        return None


def _charts() -> list[charts.Panel] | None:
    try:
        minutes = cache.get_or_set("locks_admin.timings", last_hour, CHART_AGE)
    except REDIS_ERRORS:
        return None
    return charts.panels(minutes or [])


def _named(counted: dict[str, int]) -> list[tuple[Any, int]]:
    return [(COUNTER_NAMES.get(name, name), count) for name, count in counted.items() if count]


def _utc_midnight() -> datetime:
    """Where the day of the counters begins."""
    return timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _states(locks: list[LockStatus], chosen: State | None) -> list[dict[str, Any]]:
    counts = Counter(lock.state for lock in locks)
    everything = {"state": None, "name": _("all"), "count": len(locks), "chosen": chosen is None}
    each = [
        {"state": state, "name": state.label, "count": counts[state], "chosen": chosen is state}
        for state in State
    ]
    return [everything, *each]


def _columns(sort: str) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "order": {name: "ascending", f"-{name}": "descending"}.get(sort, "none"),
            "next_sort": name if sort == f"-{name}" else f"-{name}",
        }
        for name, title in COLUMNS
    ]
