"""Requests that a page on the internet makes its visitor's browser send to this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from amocrm.sandbox.api.request import Request


def is_for_this_machine(request: Request) -> bool:
    """Whether ``Host`` is a name of this machine, and not somebody's that leads here."""
    host = _name_of(request.headers.get("host", ""))
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_of_another_site(request: Request) -> bool:
    """Whether a browser says that another site's page sends it."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
