"""The settings of the login, read in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings


@dataclass(frozen=True)
class LoginSettings:
    """``pair_limit``: failures of one user name from one address; ``address_limit``: of all names
    from it. Both lock out for ``cool_off``."""

    pair_limit: int
    address_limit: int
    cool_off: timedelta
    trusted_proxies: int
    logs_people: bool


def current() -> LoginSettings:
    """The settings as they are now (tests override them)."""
    return LoginSettings(
        pair_limit=settings.AXES_FAILURE_LIMIT,
        address_limit=settings.LOGIN_ADDRESS_LIMIT,
        cool_off=settings.AXES_COOLOFF_TIME,
        trusted_proxies=settings.TRUSTED_PROXIES,
        logs_people=settings.LOG_PII == "full",
    )
