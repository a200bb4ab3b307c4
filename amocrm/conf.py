"""The settings of this app, read in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings

# The settings that name a stage of the pipeline.
STAGE_SETTINGS = (
    "AMOCRM_STATUS_PROFTEST",
    "AMOCRM_STATUS_EXPRESSCOURSE",
    "AMOCRM_STATUS_KASPI",
    "AMOCRM_STATUS_CARD",
    "AMOCRM_STATUS_MANAGER",
)


@dataclass(frozen=True)
class AmoSettings:
    """What the app needs to know of its surroundings. Times are seconds unless typed otherwise."""

    base_url: str
    is_local: bool  # an account on this machine: the sandbox
    access_token: str
    pipeline_id: int | None
    max_rps: float
    timeout: float
    lock_ttl: int
    lock_wait: float
    settle: timedelta
    phone_region: str
    phone_search: str
    ignored_identities: tuple[str, ...]
    person_max_identities: int
    identity_max_people: int
    burst: str
    burst_max_per_minute: int | None
    stages: Mapping[str, int | None]
    redis_enabled: bool
    redis_url: str

    @property
    def account(self) -> str:
        """The host (and port) of the account: what the ledger's rows are about."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2].lower()

    def __repr__(self) -> str:
        return f"<AmoSettings {self.account}>"


def current() -> AmoSettings:
    """The settings as they are now (tests override them)."""
    return AmoSettings(
        base_url=settings.AMOCRM_BASE_URL.rstrip("/"),
        is_local=settings.AMOCRM_IS_LOCAL,
        access_token=settings.AMOCRM_ACCESS_TOKEN,
        pipeline_id=settings.AMOCRM_PIPELINE_ID,
        max_rps=settings.AMOCRM_MAX_RPS,
        timeout=settings.AMOCRM_TIMEOUT,
        lock_ttl=settings.LOCK_TTL,
        lock_wait=settings.LOCK_WAIT,
        settle=timedelta(seconds=settings.SETTLE_SECONDS),
        phone_region=settings.PHONE_REGION,
        phone_search=settings.PHONE_SEARCH,
        ignored_identities=tuple(settings.IGNORED_IDENTITIES),
        person_max_identities=settings.PERSON_MAX_IDENTITIES,
        identity_max_people=settings.IDENTITY_MAX_PEOPLE,
        burst=settings.BURST,
        burst_max_per_minute=settings.BURST_MAX_PER_MINUTE,
        stages={name: getattr(settings, name) for name in STAGE_SETTINGS},
        redis_enabled=settings.REDIS_ENABLED,
        redis_url=settings.REDIS_URL,
    )
