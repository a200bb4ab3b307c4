"""How often one address may call, counted by REST framework in this process's memory.

Nothing here can be down. With several web processes each counts for itself, so the limit of
the service is up to that many times higher.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from leads import conf
from leads.models import Sender

#: About so many addresses are remembered; those longest unheard of are forgotten first.
MAX_CLIENTS = 10_000


def client_of(request: Request, sender: Sender | None) -> str:
    """Who a form is from: the sender whose key came with it, else the caller's address."""
    return sender.client if sender else address_of(request, conf.current().trusted_proxies)


def address_of(request: Request, trusted_proxies: int) -> str:
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
    """``LANDING_THROTTLE`` for both forms together. Calls that it refuses are not counted."""

    scope = "landing"
    duration: int  # of the rate's unit, in seconds: what the base class read in it
    # Never the cache of the settings: what is shared between processes may be down.
    cache = LocMemCache("throttles", {"OPTIONS": {"MAX_ENTRIES": MAX_CLIENTS}})
    timer = time.monotonic  # the system's clock may be set back
    _lock = threading.Lock()  # the history is read, then written: one thread at a time

    def get_rate(self) -> str:
        """``60/min``: calls in a second, minute, hour or day."""
        return conf.current().throttle

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """What the history of this caller is kept under; ``None``: not counted."""
        return f"{self.scope}:{client_of(request, getattr(view, 'sender', None))}"

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the call may go on; otherwise ``wait()`` says for how long not."""
        if sender := getattr(view, "sender", None):
            self.num_requests, self.duration = sender.per_minute, 60
        with self._lock:
            return super().allow_request(request, view)

    def give_back(self) -> None:
        """Do not count the call that was allowed: nothing came of it."""
        with self._lock:
            history = self.cache.get(self.key, [])
            if self.now in history:
                history.remove(self.now)
                self.cache.set(self.key, history, self.duration)

    def wait(self) -> float:
        """Whole seconds until the next call is allowed; sent as ``Retry-After``."""
        return math.ceil(super().wait() or self.duration)


class RefusedThrottle(LandingThrottle):
    """How many refused forms of one address are kept; the rest is only logged and counted."""

    scope = "refused"


class StatusThrottle(LandingThrottle):
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
