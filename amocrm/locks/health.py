"""Whether Redis can be relied on for locks."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from amocrm import conf
from amocrm.redis_clients import REDIS_ERRORS, probe_client

_PROBE = "amocrm:lock-probe"
_PROBE_LIFE_MS = 1_000
_KEEPS_EVERYTHING = "noeviction"


@dataclass(frozen=True)
class Health:
    """``connected``: Redis answers. ``available``: it also takes writes, so locks work.

    ``trouble`` is what went wrong, in Redis's or the socket's words. ``evicts`` is the name
    of an eviction policy under which Redis may silently drop locks, empty when it may not or
    does not tell.
    """

    enabled: bool
    connected: bool = False
    available: bool = False
    trouble: str = ""
    evicts: str = ""


def check() -> Health:
    """Ask Redis. Never raises; takes a few seconds at the worst."""
    if not conf.current().redis_enabled:
        return Health(enabled=False)
    try:
        client = probe_client()
        client.ping()
    except REDIS_ERRORS as trouble:
        return Health(enabled=True, trouble=str(trouble))
    try:
        client.set(_PROBE, 1, px=_PROBE_LIFE_MS)
    except REDIS_ERRORS as trouble:
        return Health(enabled=True, connected=True, trouble=str(trouble))
    return Health(enabled=True, connected=True, available=True, evicts=_eviction_policy(client))


def _eviction_policy(client: Redis) -> str:
    try:
        memory = client.info("memory")
    except REDIS_ERRORS:  # many hosted ones refuse to tell, and are no worse for locks
        return ""
    policy = str(memory.get("maxmemory_policy", _KEEPS_EVERYTHING))
    return "" if policy == _KEEPS_EVERYTHING else policy
