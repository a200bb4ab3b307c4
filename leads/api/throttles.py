"""How often one address may call. Forms are counted by their rows (:mod:`leads.limits`), so their
limit holds for all web processes together; everything else in each process's memory."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from leads import conf
from leads.limits import CountedRows
from leads.models import Sender

#: About so many addresses are remembered; those longest unheard of are forgotten first.
MAX_CLIENTS = 10_000


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


class LandingThrottle(CountedRows):
    """How many forms are taken from one sender, whichever they are: ``LANDING_THROTTLE``, or what
    its key allows."""

    _seconds: int

    def get_rate(self) -> str:
        """``60/min``: forms in a second, minute, hour or day."""
        return conf.current().throttle

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the form may be taken; otherwise ``wait()`` says for how long not."""
        if view.sender:
            self.num_requests, self.duration = view.sender.per_minute, 60
        client = client_of(request, view.sender)
        self._seconds = self.seconds_left(client)
        view.last_turn = self.last_turn
        return not self._seconds

    def wait(self) -> float:
        """Whole seconds until the next form is taken; sent as ``Retry-After``."""
        return self._seconds


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
        if sender := getattr(view, "sender", None):
            self.num_requests, self.duration = sender.per_minute, 60
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
