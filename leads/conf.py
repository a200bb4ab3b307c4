"""The settings of this app, read in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver


@dataclass(frozen=True)
class LeadsSettings:
    """What the app needs to know of its surroundings."""

    phone_region: str
    throttle: str
    person_throttle: str
    logs_people: bool
    trusted_proxies: int
    pages: frozenset[str]
    repeat_within: timedelta
    form_min_seconds: float
    redis_enabled: bool
    dispatch_options: dict[str, Any]
    dispatch_expires: int
    lease_time: timedelta
    crm_url: str
    stages: dict[str, int | None]


@cache
def current() -> LeadsSettings:
    """The settings as they are now (tests override them)."""
    return LeadsSettings(
        phone_region=settings.PHONE_REGION,
        throttle=settings.LANDING_THROTTLE,
        person_throttle=settings.PERSON_THROTTLE,
        logs_people=settings.LOG_PII == "full",
        trusted_proxies=settings.TRUSTED_PROXIES,
        pages=frozenset(settings.LANDING_ALLOWED_ORIGINS),
        repeat_within=timedelta(seconds=settings.REPEAT_SECONDS),
        form_min_seconds=settings.FORM_MIN_SECONDS,
        redis_enabled=settings.REDIS_ENABLED,
        dispatch_options=settings.DISPATCH_TRANSPORT_OPTIONS,
        dispatch_expires=settings.DISPATCH_EXPIRES,
        lease_time=timedelta(seconds=2 * settings.LOCK_TTL),
        crm_url=settings.AMOCRM_BASE_URL.rstrip("/"),
        stages={
            "proftest": settings.AMOCRM_STATUS_PROFTEST,
            "express": settings.AMOCRM_STATUS_EXPRESSCOURSE,
            "kaspi": settings.AMOCRM_STATUS_KASPI,
            "card": settings.AMOCRM_STATUS_CARD,
            "manager": settings.AMOCRM_STATUS_MANAGER,
        },
    )


@receiver(setting_changed)
def _read_anew(**_: Any) -> None:
    current.cache_clear()
