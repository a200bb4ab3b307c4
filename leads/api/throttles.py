"""How often one sender may call: forms are counted by the rows that they became, everything else
in each process's memory."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from leads import conf
from leads.models import Sender, Submission

#: About so many addresses are remembered; those longest unheard of are forgotten first.
MAX_CLIENTS = 10_000
#: Of senders of forms it costs less: only that they were heard of.
MAX_HEARD = 50_000


def client_of(request: Request, sender: Sender | None) -> str:
    """Who a form is from: the sender whose key came with it, else the caller's address."""
    return sender.client if sender else address_of(request, conf.current().trusted_proxies)


def address_of(request: Request | HttpRequest, trusted_proxies: int) -> str:
    """The caller's address: what the outermost trusted proxy saw. IPv6: the /64 network.

    Whatever stands further left in ``X-Forwarded-For`` was written by the caller.
    """
    address = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if trusted_proxies and len(hops) >= trusted_proxies:
        address = hops[-trusted_proxies] or address
    try:
        ip = ipaddress.ip_address(_without_port(address))
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _without_port(address: str) -> str:
    """Some proxies write the port, too: ``203.0.113.7:51012``, ``[2001:db8::1]:51012``."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


class LandingThrottle(SimpleRateThrottle):
    """How many forms are taken from one sender, whichever they are: ``LANDING_THROTTLE``, or what
    its key allows.

    Counted by the rows that accepted forms became. So the limit holds for all processes together,
    only what was accepted uses it up, and nothing is written for it. Forms that are under way at
    the same moment do not see each other, and the first one that a process hears of a sender is let
    pass without a query, for most people send one: by as many the limit may be exceeded.
    """

    #: Whom this process has heard of within the unit of time.
    heard = LocMemCache("heard", {"OPTIONS": {"MAX_ENTRIES": MAX_HEARD}})

    num_requests: int
    duration: int  # of the rate's unit, in seconds
    #: The turn of the sender's last form, once it was looked for: leads.delivery.fairness.
    last_turn: datetime | None = None
    _seconds: int

    def get_rate(self) -> str:
        """``60/min``: forms in a second, minute, hour or day."""
        return conf.current().throttle

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the form may be taken; otherwise ``wait()`` says for how long not."""
        if view.sender:
            self.num_requests, self.duration = view.sender.per_minute, 60
        self._seconds = self.seconds_left(client_of(request, view.sender))
        view.last_turn = self.last_turn
        return not self._seconds

    def wait(self) -> float:
        """Whole seconds until the next form is taken; sent as ``Retry-After``."""
        return self._seconds

    def seconds_left(self, client: str) -> int:
        """Whole seconds until ``client`` may send one more; 0: now."""
        if self.heard.add(client, True, self.duration):
            return 0
        # Written out it takes a third of what the ORM needs to write it.
        newest = Submission.objects.raw(
            "SELECT id, created_at, turn_at FROM leads_submission"
            " WHERE client = %s ORDER BY created_at DESC LIMIT 1",
            [client],
        )
        for row in newest:
            self.last_turn = row.turn_at
            if self._is_recent(row.created_at):
                return self._seconds_beside(Submission.objects.filter(client=client))
        return 0

    def _seconds_beside(self, rows: QuerySet[Submission]) -> int:
        now, place = timezone.now(), self.num_requests - 1
        recent = rows.filter(created_at__range=(now - self._unit, now + self._unit))
        times = recent.order_by("-created_at").values_list("created_at", flat=True)
        for full_since in times[place : place + 1]:
            left = full_since + self._unit - now
            return min(math.ceil(left.total_seconds()), self.duration)
        return 0

    def _is_recent(self, moment: datetime) -> bool:
        return moment > timezone.now() - self._unit

    @property
    def _unit(self) -> timedelta:
        return timedelta(seconds=self.duration)


class MemoryThrottle(SimpleRateThrottle):
    """Counts calls in this process's memory: nothing that could be down, and each process for
    itself. Calls that it refuses are not counted."""

    duration: int  # of the rate's unit, in seconds: what the base class read in it
    # Never the cache of the settings: what is shared between processes may be down.
    cache = LocMemCache("throttles", {"OPTIONS": {"MAX_ENTRIES": MAX_CLIENTS}})
    timer = time.monotonic  # the system's clock may be set back
    _lock = threading.Lock()  # the history is read, then written: one thread at a time

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """What the history of this caller is kept under; ``None``: not counted."""
        return f"{self.scope}:{address_of(request, conf.current().trusted_proxies)}"

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the call may go on; otherwise ``wait()`` says for how long not."""
        with self._lock:
            return super().allow_request(request, view)

    def wait(self) -> float:
        """Whole seconds until the next call is allowed; sent as ``Retry-After``."""
        return math.ceil(super().wait() or self.duration)


class RefusedThrottle(MemoryThrottle):
    """How many refused forms of one address are kept; the rest is only logged and counted."""

    scope = "refused"

    def get_rate(self) -> str:
        """As many as would be taken."""
        return conf.current().throttle


class StatusThrottle(MemoryThrottle):
    """Asking for a status is cheap: pages may poll. Staff is not counted."""

    scope = "status"

    def get_rate(self) -> str:
        """Ten a second on average."""
        return "600/min"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """As above, for everybody but staff."""
        if getattr(request.user, "is_staff", False):
            return None
        return super().get_cache_key(request, view)
