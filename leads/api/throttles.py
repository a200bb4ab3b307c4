"""How often one address may call, counted in this process's memory.

Nothing here can be down. With several web processes each counts for itself, so the limit of
the service is up to that many times higher.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict, deque
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from leads import conf

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: More addresses than this are not remembered; the longest unheard of is forgotten first.
MAX_CLIENTS = 10_000


def parse_rate(rate: str) -> tuple[int, int]:
    """``60/min`` as 60 calls in 60 seconds."""
    calls, _, period = rate.partition("/")
    return int(calls), _SECONDS[period.strip()[0].lower()]


class Window:
    """Sliding windows of calls, one for each client."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str, calls: int, seconds: int) -> float:
        """Count a call and answer 0, or the seconds until one is allowed (then uncounted)."""
        now = time.monotonic()
        with self._lock:
            times = self._calls.setdefault(client, deque())
            self._calls.move_to_end(client)
            while times and times[0] <= now - seconds:
                times.popleft()
            if len(times) >= calls:
                return times[0] + seconds - now
            times.append(now)
            while len(self._calls) > MAX_CLIENTS:
                self._calls.popitem(last=False)
            return 0

    def clear(self) -> None:
        """Forget everybody."""
        with self._lock:
            self._calls.clear()


def client_of(request: Request, trusted_proxies: int) -> str:
    """The caller's address: what the outermost trusted proxy saw. IPv6: the /64 network.

    Whatever stands further left in ``X-Forwarded-For`` was written by the caller.
    """
    address = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if trusted_proxies and len(hops) >= trusted_proxies:
        address = hops[-trusted_proxies] or address
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


class LandingThrottle(BaseThrottle):
    """``LANDING_THROTTLE`` for both forms together."""

    window = Window()

    def rate(self, settings: conf.LeadsSettings) -> str:
        """The rate that counts here."""
        return settings.throttle

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the call may go on; otherwise ``wait()`` says for how long not."""
        settings = conf.current()
        calls, seconds = parse_rate(self.rate(settings))
        self._wait = self.window.take(client_of(request, settings.trusted_proxies), calls, seconds)
        return self._wait == 0

    def wait(self) -> float | None:
        """Seconds until the next call is allowed; sent as ``Retry-After``."""
        return math.ceil(self._wait)


class StatusThrottle(LandingThrottle):
    """Asking for a status is cheap: pages may poll. Staff is not counted."""

    window = Window()

    def rate(self, settings: conf.LeadsSettings) -> str:
        """Ten a second on average."""
        return "600/min"

    def allow_request(self, request: Request, view: Any) -> bool:
        """As above, for everybody but staff."""
        return bool(getattr(request.user, "is_staff", False)) or super().allow_request(
            request, view
        )
