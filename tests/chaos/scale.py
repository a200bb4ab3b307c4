"""How the run is scaled: the service's own settings, with times that fit into minutes.

What the settings demand of each other stays true: a lock outlives two calls, and an unknown
outcome settles for longer than a call can be under way. A clock that is off by ``skew`` eats up
as much of the settling (a claim made by a slow clock looks older than it is), so what is left
of ``settle`` without it must still be enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

TOKEN = "chaos-operator-token-0123456789abcdef012"
PIPELINE = "3177727"
STAGES = {
    "AMOCRM_STATUS_PROFTEST": "32392165",
    "AMOCRM_STATUS_EXPRESSCOURSE": "32392168",
    "AMOCRM_STATUS_KASPI": "32392171",
    "AMOCRM_STATUS_CARD": "32392174",
    "AMOCRM_STATUS_MANAGER": "32392177",
}


@dataclass(frozen=True)
class Scale:
    """Seconds, except ``max_rps`` (requests per second that the service allows itself).

    ``skew`` is how far the clock of one worker is off.
    """

    timeout: float = 1.5
    lock_ttl: int = 4
    lock_wait: float = 0.5
    settle: int = 10
    max_rps: float = 1000
    skew: float = 0

    @classmethod
    def with_skew(cls, skew: float, *, timeout: float = 2, max_rps: float = 1000) -> Self:
        """The shortest times that are safe with one clock off by ``skew`` seconds."""
        return cls(
            timeout=timeout,
            lock_ttl=math.ceil(2 * timeout) + 1,
            settle=math.ceil(2 * timeout + 5 + abs(skew)) + 3,
            max_rps=max_rps,
            skew=skew,
        )

    def __post_init__(self) -> None:
        """Raise :class:`ValueError` where the skew leaves too little time to settle."""
        if self.settle - abs(self.skew) < 2 * self.timeout + 5:
            raise ValueError(
                f"settle={self.settle} less skew={self.skew} is below twice timeout="
                f"{self.timeout} plus 5: a claim would be given back while its call is under way"
            )

    def environment(self) -> dict[str, str]:
        """The variables that say so to the service."""
        return {
            "AMOCRM_TIMEOUT": f"{self.timeout:g}",
            "LOCK_TTL": str(self.lock_ttl),
            "LOCK_WAIT": f"{self.lock_wait:g}",
            "SETTLE_SECONDS": str(self.settle),
            "AMOCRM_MAX_RPS": f"{self.max_rps:g}",
        }


def settings(
    scale: Scale, *, database: str, redis: str | None, crm: str, port: int
) -> dict[str, str]:
    """Every variable that the service knows, so that nobody's ``env.env`` reaches the run.

    ``redis`` is the server's URL without a database, ``None`` for ``REDIS_ENABLED=false``.
    """
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
        "SECRET_KEY": "a secret key for the chaos runs alone, of more than fifty characters",
        "DEBUG": "true",
        "ALLOWED_HOSTS": "127.0.0.1",
        "PORT": str(port),
        "DATABASE_URL": database,
        "REDIS_ENABLED": "true" if redis else "false",
        "REDIS_URL": f"{redis or 'redis://127.0.0.1:1'}/0",
        "REDIS_LOCKS_URL": f"{redis or 'redis://127.0.0.1:1'}/1",
        "AMOCRM_BASE_URL": crm,
        "AMOCRM_ACCESS_TOKEN": "sandbox-token",
        "AMOCRM_PIPELINE_ID": PIPELINE,
        **STAGES,
        **scale.environment(),
        "PHONE_REGION": "KZ",
        "PHONE_SEARCH": "digits",
        "IGNORED_IDENTITIES": "",
        "PERSON_MAX_IDENTITIES": "5",
        "IDENTITY_MAX_PEOPLE": "5",
        "LANDING_ALLOWED_ORIGINS": "",
        "LANDING_THROTTLE": "1000000/min",
        "PERSON_THROTTLE": "1000000/min",
        "TRUSTED_PROXIES": "0",
        "LOG_FORMAT": "console",
        "LOG_PII": "full",
    }
