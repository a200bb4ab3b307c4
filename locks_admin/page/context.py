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

from amocrm import counters
from amocrm.locks import health
from amocrm.locks.connection import REDIS_ERRORS
from amocrm.locks.stats import last_hour
from locks_admin.labels import COLUMNS, COUNTER_NAMES, STATE_NAMES
from locks_admin.masking import may_see_people
from locks_admin.monitor import alerts, charts, history, lock_status, stats
from locks_admin.monitor.filters import BadFilter, LockFilter, ordered
from locks_admin.monitor.lock_status import STALE, LockStatus, State
from locks_admin.page.rows import ShownEvent, event_rows, shown

PER_PAGE = 50
HISTORY_NAMES = ("who", "of")  # its filter in the address; the locks' is Wanted.NAMES
CHART_AGE = 30  # seconds that a chart is shown before it is made anew


def page_context(params: QueryDict, user: User | AnonymousUser) -> dict[str, Any]:
    """Everything that the live part of the page shows."""
    full = may_see_people(user)
    redis = health.check()
    deliveries = stats.deliveries()
    rows, unreadable = _read(connected=redis.connected)
    wanted, bad_filter = _wanted(params)
    found = wanted.apply(rows, full=full)
    sort = params.get("sort", "-held")
    pages = Paginator(ordered(found, sort, full=full), PER_PAGE)
    here = pages.get_page(params.get("page"))
    return {
        "redis": redis,
        "deliveries": deliveries,
        "rate": stats.requests_per_second(redis),
        "counters": _counters(),
        "counted_since": _utc_midnight(),
        "alerts": alerts.find(redis, deliveries, rows, unreadable=unreadable),
        "is_known": redis.connected and not unreadable,
        "total": len(rows),
        "stale": sum(row.state in STALE for row in rows),
        "states": _states(rows, wanted.state),
        "columns": _columns(sort),
        "rows": shown(list(here), full=full),
        "page": here,
        "page_numbers": pages.get_elided_page_range(here.number, on_each_side=2, on_ends=1),
        "found": len(found),
        "bad_filter": bad_filter,
        "filters": _filters(params),
        "history": _history(
            params, None if unreadable else rows, full=full, connected=redis.connected
        ),
        "who": params.get("who", ""),
        "of": params.get("of", ""),
        "charts": _charts(connected=redis.connected),
        "chart_size": {"width": charts.WIDTH, "height": charts.HEIGHT, "bar": charts.BAR},
        "now": timezone.now(),
        "full": full,
        "links": {
            "failed": reverse("admin:leads_submission_changelist") + "?status__exact=failed",
        },
    }


def _wanted(params: QueryDict) -> tuple[LockFilter, str]:
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
    except REDIS_ERRORS as trouble:
        return [], str(trouble) or type(trouble).__name__


def _history(
    params: QueryDict, rows: list[LockStatus] | None, *, full: bool, connected: bool
) -> list[ShownEvent] | None:
    if not connected:
        return None
    held = None if rows is None else {row.lock.holder_id for row in rows}
    try:
        events = history.latest(
            history.DEFAULT_LIMIT,
            words=params.get("who", ""),
            of=params.get("of", ""),
            full=full,
            held=held,
        )
    except REDIS_ERRORS:
        return None
    return event_rows(events, full=full)


def _charts(*, connected: bool) -> list[charts.Panel] | None:
    if not connected:
        return None
    try:
        minutes = cache.get_or_set("locks_admin.timings", last_hour, CHART_AGE)
    except REDIS_ERRORS:
        return None
    return charts.panels(minutes or [])


def _counters() -> list[tuple[Any, int]]:
    totals = counters.totals()
    return [(COUNTER_NAMES.get(name, name), count) for name, count in totals.items() if count]


def _utc_midnight() -> datetime:
    """Where the day of the counters begins."""
    return timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _states(rows: list[LockStatus], chosen: State | None) -> list[dict[str, Any]]:
    counts = Counter(row.state for row in rows)
    everything = {"state": None, "name": _("all"), "count": len(rows), "chosen": chosen is None}
    each = [
        {
            "state": state,
            "name": STATE_NAMES[state],
            "count": counts[state],
            "chosen": chosen is state,
        }
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
