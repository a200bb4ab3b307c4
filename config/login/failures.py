"""How often the password was wrong lately, and whom that locks out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from axes.models import AccessAttempt
from django.http import HttpRequest

from config.login import conf
from config.login.refusal import Refusal
from leads.api import throttles

_Row = tuple[datetime, int]


@dataclass(frozen=True)
class Failures:
    """Those within ``AXES_COOLOFF_TIME``: of one user name from one address, and of all names from
    that address. ``refusal`` is ``None`` for whoever may try."""

    of_pair: int
    of_address: int
    refusal: Refusal | None


def address_of(request: HttpRequest) -> str | None:
    """Where the request comes from, as the landing API sees it; of an IPv6 network its first
    address, because axes keeps addresses only. ``None``: not known."""
    address = throttles.address_of(request, conf.current().trusted_proxies).partition("/")[0]
    return None if address == "unknown" else address


def recent(username: str | None, address: str | None, now: datetime) -> Failures:
    """What speaks at ``now`` against this user name from this address."""
    limits = conf.current()
    rows = AccessAttempt.objects.filter(
        ip_address=address, attempt_time__gt=now - limits.cool_off
    ).order_by("attempt_time")
    found = list(rows.values_list("username", "attempt_time", "failures_since_start"))
    of_address = [(failed_at, times) for _, failed_at, times in found]
    of_pair = [(failed_at, times) for name, failed_at, times in found if name == username]
    pair_ends = _locked_until(of_pair, limits.pair_limit, limits.cool_off)
    address_ends = _locked_until(of_address, limits.address_limit, limits.cool_off)
    return Failures(_sum(of_pair), _sum(of_address), _refusal(pair_ends, address_ends))


def _refusal(pair_ends: datetime | None, address_ends: datetime | None) -> Refusal | None:
    ends = [end for end in (pair_ends, address_ends) if end]
    if not ends:
        return None
    whole_address = address_ends == max(ends)
    return Refusal(is_busy=False, until=max(ends).timestamp(), whole_address=whole_address)


def _locked_until(rows: Iterable[_Row], limit: int, cool_off: timedelta) -> datetime | None:
    """When so many of ``rows``, the oldest first, are forgotten that fewer than ``limit`` failures
    are left; ``None``: fewer are there."""
    left, end = _sum(rows), None
    for failed_at, times in rows:
        if left < limit:
            break
        left, end = left - times, failed_at + cool_off
    return end


def _sum(rows: Iterable[_Row]) -> int:
    return sum(times for _, times in rows)
