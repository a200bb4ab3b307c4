"""What particular variables may hold: URLs, origins, people, regions, rates.

Each function takes the trimmed text of a variable and returns what the settings hold, or
raises :class:`ValueError` whose text says how the value should look.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import environ
import phonenumbers

from amocrm.identity import is_possible_phone, parse_email
from config.loopback import is_loopback

_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)


def account_url(text: str) -> str:
    """Return the amoCRM account's address without a trailing slash."""
    advice = "write the account's address alone, as in https://example.amocrm.ru"
    url = _split(text, advice)
    if url.scheme not in {"http", "https"} or url.path not in {"", "/"} or url.username is not None:
        raise ValueError(advice)
    if url.query or url.fragment or "?" in text or "#" in text:
        raise ValueError(advice)
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise ValueError("begin it with https://, because the token travels with every call")
    return text.rstrip("/")


def redis_url(text: str) -> str:
    """Return the URL of one Redis database."""
    advice = "write it as redis://host:port/number (rediss:// for TLS)"
    url = _split(text, advice)
    if url.scheme not in {"redis", "rediss"} or url.fragment:
        raise ValueError(advice)
    if not re.fullmatch(r"/?|/\d{1,4}", url.path, re.ASCII):
        raise ValueError(advice)
    return text


def origin(text: str) -> str:
    """Return a web origin in the form in which browsers send it."""
    advice = "write each origin as https://host, without a path"
    url = _split(text, advice)
    if url.scheme not in {"http", "https"} or url.path or url.query or url.username is not None:
        raise ValueError(advice)
    if "#" in text or "?" in text:
        raise ValueError(advice)
    return f"{url.scheme}://{url.netloc.lower()}"


def ip_address(text: str) -> str:
    """Return an address of this machine to listen at."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        advice = "write an IP address, as 127.0.0.1, or 0.0.0.0 for every address"
        raise ValueError(advice) from None


def host_pattern(text: str) -> str:
    """Return a host name as Django's ``ALLOWED_HOSTS`` takes it."""
    if text == "*" or text == "[::1]" or _HOST.fullmatch(text.removeprefix(".")):
        return text.lower()
    raise ValueError("write host names without scheme, port or path")


def identity(text: str, region: str) -> str:
    """Return an e-mail or a phone that can be somebody's; ``region`` reads one without a plus."""
    if parse_email(text) or is_possible_phone(text, region):
        return text
    raise ValueError("write e-mails and phones with one comma between each two")


def phone_region(text: str) -> str:
    """Return a region code that the phone number library knows."""
    if text.upper() in phonenumbers.SUPPORTED_REGIONS:
        return text.upper()
    raise ValueError("write a two-letter country code, as in KZ")


def throttle(text: str) -> str:
    """Return a rate in the form in which REST framework takes it."""
    if re.fullmatch(r"[1-9]\d{0,8}/(sec|min|hour|day)", text, re.ASCII):
        return text
    raise ValueError("write a number and a unit (sec, min, hour or day), as in 60/min")


def database(text: str, base_dir: Path) -> dict[str, Any]:
    """Return Django's description of the database; a relative SQLite path is the project's."""
    if text.startswith("sqlite:"):
        return _sqlite(text, base_dir)
    advice = "write sqlite:///path or postgres://user:password@host:5432/name"
    url = _split(text, advice, host_needed=False)
    if url.scheme not in {"postgres", "postgresql"} or not url.path.strip("/"):
        raise ValueError(advice)
    config = dict(environ.Env.db_url_config(text))
    config["CONN_MAX_AGE"] = 60
    config["CONN_HEALTH_CHECKS"] = True
    config["OPTIONS"] = {"connect_timeout": 5, **config.get("OPTIONS", {})}
    return config


def _sqlite(text: str, base_dir: Path) -> dict[str, Any]:
    if not text.startswith("sqlite:///") or "?" in text or "#" in text:
        raise ValueError("write it as sqlite:///path/to/file")
    name = environ.Env.db_url_config(text)["NAME"]
    if name in {"", ":memory:"}:
        raise ValueError("name a file, because several processes share the database")
    path = (base_dir / name).resolve()
    if path.is_relative_to(base_dir):
        with contextlib.suppress(OSError):  # said below
            path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.is_dir():
        raise ValueError(f"create the folder {path.parent} first, for this user to write to")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"
            ),
        },
    }


def _split(text: str, advice: str, *, host_needed: bool = True) -> SplitResult:
    """Split a URL whose host and port are well-formed."""
    try:
        url = urlsplit(text)
        port = url.port
        host = url.hostname
    except ValueError:
        raise ValueError(advice) from None
    if re.search(r"[\s\x00-\x1f\x7f\\]", text) or port == 0:
        raise ValueError(advice)
    if host is None:
        if host_needed:
            raise ValueError(advice)
        return url
    if ":" not in host and not _HOST.fullmatch(host):
        raise ValueError(advice)
    return url
