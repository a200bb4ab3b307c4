"""What the service needs beside itself: a Redis and an amoCRM.

Whatever answers at their addresses is used. Where nothing answers and the address is this
machine's own, one is started there.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import unquote, urlsplit

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.env import ConfigError
from config.launcher.commands import (
    Process,
    listens,
    redis_configuration,
    redis_process,
    sandbox_process,
)
from config.launcher.console import say
from config.loopback import is_loopback


def require_free_port() -> None:
    """Raise :class:`ConfigError` if another program has the web server's port."""
    port = settings.PORT
    family = socket.AF_INET6 if ":" in settings.WEB_HOST else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.WEB_HOST, port))
        except PermissionError:
            raise ConfigError(f"PORT is {port}: this user may not listen there.") from None
        except OSError:
            raise ConfigError(
                f"PORT is {port}, and another program listens there: end it (is this service"
                " running already?) or set another PORT."
            ) from None


def missing() -> list[Process]:
    """Return what must be started beside the service, saying what is used instead."""
    processes = []
    if settings.REDIS_ENABLED:
        # Two URLs may name two databases of one server, or two servers.
        servers: dict[tuple[str, int], list[str]] = {}
        for url in (settings.REDIS_URL, settings.REDIS_LOCKS_URL):
            parts = urlsplit(url)
            servers.setdefault((_address(parts.hostname), parts.port or 6379), []).append(url)
        processes += [
            process for place, urls in servers.items() if (process := _redis(place, urls))
        ]
    sandbox = _sandbox()
    return [*processes, sandbox] if sandbox else processes


def require_ports_of_their_own() -> None:
    """Raise :class:`ConfigError` where two different servers would listen at one port here."""
    crm = urlsplit(settings.AMOCRM_BASE_URL)
    named = [("PORT", "127.0.0.1", settings.PORT), ("AMOCRM_BASE_URL", crm.hostname, crm.port)]
    if settings.REDIS_ENABLED:
        for name in ("REDIS_URL", "REDIS_LOCKS_URL"):
            url = urlsplit(getattr(settings, name))
            named.append((name, url.hostname, url.port or 6379))
    taken: dict[int, str] = {}
    for name, host, port in named:
        if port is None or not is_loopback(_address(host)):
            continue
        other = taken.setdefault(port, name)
        if other != name and not (other, name) == ("REDIS_URL", "REDIS_LOCKS_URL"):
            raise ConfigError(
                f"{other} and {name} both name port {port}: give one of them another."
            )


def _redis(place: tuple[str, int], urls: list[str]) -> Process | None:
    host, port = place
    if listens(host, port):
        for url in urls:
            _require_redis(url, port)
        say(f"Using the Redis at {host}:{port}.")
        return None
    parts = urlsplit(urls[0])
    if not is_loopback(host) or parts.scheme != "redis":
        say(f"Nothing answers at {host}:{port}: deliveries wait until Redis does.")
        return None
    databases = 1 + max(int(urlsplit(url).path.strip("/") or 0) for url in urls)
    password = unquote(parts.password) if parts.password else None
    return redis_process(host, port, redis_configuration(host, port, max(16, databases), password))


def _require_redis(url: str, port: int) -> None:
    name = "REDIS_URL" if url == settings.REDIS_URL else "REDIS_LOCKS_URL"
    client = redis.Redis.from_url(
        url, socket_connect_timeout=1, socket_timeout=3, retry=Retry(NoBackoff(), 0)
    )
    try:
        client.ping()
    except (redis.AuthenticationError, redis.ResponseError) as error:
        raise ConfigError(
            f"{name}: the Redis on port {port} refuses ({error}): correct the URL."
        ) from None
    except redis.RedisError:
        raise ConfigError(
            f"{name}: what answers on port {port} is not a working Redis: end that program, or"
            " set another port."
        ) from None
    finally:
        client.close()


def _sandbox() -> Process | None:
    parts = urlsplit(settings.AMOCRM_BASE_URL)
    host = _address(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not is_loopback(host):
        return None
    if listens(host, port):
        say(f"Using the amoCRM at {settings.AMOCRM_BASE_URL}.")
        return None
    if parts.scheme != "http":
        say(f"Nothing answers at {settings.AMOCRM_BASE_URL}: deliveries wait until it does.")
        return None
    return sandbox_process(host, port)


def _address(host: str | None) -> str:
    """Return the address to try and to bind; a name that only this machine has is IPv4."""
    host = host or "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "127.0.0.1" if is_loopback(host) else host
