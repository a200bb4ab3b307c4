"""The shape of the account: its pipeline, the order of its stages, its fields, its clock.

Read once and kept for ten minutes by each process: it changes when somebody edits the account.
All ids belong to one account and are configuration, never code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings as django_settings
from django.core.cache import cache
from django.utils import timezone

from amocrm import conf
from amocrm.api import paging, pause
from amocrm.api.client import Client
from amocrm.api.schemas import CLOSED_STAGES, Json, embedded
from amocrm.errors import AccountPaused, RetryLater
from amocrm.log_context import get_logger

logger = get_logger(__name__)

KEPT_FOR = 600  # seconds
MOST_PAGES = 20
UNSORTED_TYPE = 1  # «Неразобранное»


@dataclass(frozen=True)
class Stage:
    """A stage of a pipeline; ``sort`` is its place."""

    id: int
    name: str
    sort: int
    is_ordinary: bool


@dataclass(frozen=True)
class AccountSchema:
    """What the service must know of an account to write into it."""

    pipeline_id: int
    pipeline_name: str
    stages: tuple[Stage, ...]
    lead_fields: Mapping[str, int]
    timezone: ZoneInfo

    @property
    def ordinary_stages(self) -> frozenset[int]:
        """The stages that take leads."""
        return frozenset(stage.id for stage in self.stages if stage.is_ordinary)

    @property
    def first_stage(self) -> int:
        """The pipeline's first ordinary stage."""
        return next(stage.id for stage in self.stages if stage.is_ordinary)

    def stage_for(self, wanted: int | None) -> int:
        """The stage that was asked for; the first ordinary one where none was, or where somebody
        has deleted it: one form's stage must not keep its leads from arriving."""
        return self.first_stage if wanted is None or self.lacks(wanted) else wanted

    def lacks(self, wanted: int | None) -> bool:
        """Whether a stage was asked for that takes no leads, or is not there at all."""
        return wanted is not None and wanted not in self.ordinary_stages

    @property
    def listed_stages(self) -> str:
        """The stages that take leads, as ``32392159 Новая заявка, …``, for people."""
        return ", ".join(f"{stage.id} {stage.name}" for stage in self.stages if stage.is_ordinary)

    def is_forward(self, current: int, target: int) -> bool:
        """Whether going from ``current`` to ``target`` moves a lead forward.

        A stage that the pipeline has not is no place to move to or from, one that closes the
        lead or takes no leads none to move to.
        """
        place = {stage.id: stage.sort for stage in self.stages}
        is_open = current in place and target in self.ordinary_stages
        return is_open and place[current] < place[target]


def cached_schema(
    client: Client, settings: conf.AmoSettings, *, fresh: bool = False
) -> AccountSchema:
    """The shape of the configured account, from the cache unless ``fresh``.

    What was read before a pause of the account ended is not used any more: a stage may have
    been the reason.
    """
    key = f"amocrm:schema:{settings.account}:{settings.pipeline_id}"
    found: tuple[datetime, AccountSchema] | None = None if fresh else cache.get(key)
    if found is None or pause.has_ended_since(settings.account, found[0]):
        found = timezone.now(), require_schema(client, settings)
        cache.set(key, found, KEPT_FOR)
    return found[1]


def require_schema(client: Client, settings: conf.AmoSettings) -> AccountSchema:
    """Ask the account. Pauses it and raises :class:`~amocrm.errors.AccountPaused` when the
    configured pipeline is not there: every lead would be refused."""
    found = fetch_schema(client, settings)
    if found is None:
        named = settings.pipeline_id or "main"
        reason = f"the account has no usable pipeline {named} (AMOCRM_PIPELINE_ID)"
        pause.begin(settings.account, "stage", reason)
        raise AccountPaused(reason)
    return found


def fetch_schema(client: Client, settings: conf.AmoSettings) -> AccountSchema | None:
    """Ask the account; ``None`` when it has not the configured pipeline, or that has no stage
    that takes leads. Raises :class:`~amocrm.errors.RetryLater` for an unknown shape."""
    try:
        pipeline = _configured(client.pipelines(), settings.pipeline_id)
        stages = stages_of(pipeline) if pipeline else ()
        if pipeline is None or not any(stage.is_ordinary for stage in stages):
            return None
        return AccountSchema(
            pipeline_id=int(pipeline["id"]),
            pipeline_name=str(pipeline.get("name", "")),
            stages=stages,
            lead_fields=_lead_fields(client),
            timezone=_timezone(client.account()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RetryLater("amoCRM's answer about the account cannot be read") from error


def _configured(pipelines: list[Json], pipeline_id: int | None) -> Json | None:
    for pipeline in pipelines:
        is_it = pipeline["id"] == pipeline_id if pipeline_id else pipeline.get("is_main")
        if is_it and not pipeline.get("is_archive"):
            return pipeline
    return None


def stages_of(pipeline: Json) -> tuple[Stage, ...]:
    """The stages of a pipeline in their order."""
    stages = (
        Stage(
            id=int(row["id"]),
            name=str(row.get("name", "")),
            sort=int(row["sort"]),
            is_ordinary=row.get("type") != UNSORTED_TYPE and row["id"] not in CLOSED_STAGES,
        )
        for row in embedded(pipeline, "statuses")
    )
    return tuple(sorted(stages, key=lambda stage: stage.sort))


def _lead_fields(client: Client) -> dict[str, int]:
    rows = paging.each(client.lead_fields, most_pages=MOST_PAGES, what="fields of leads")
    return {str(row["code"]): int(row["id"]) for row in rows if row.get("code")}


def _timezone(account: Json) -> ZoneInfo:
    name = ((account.get("_embedded") or {}).get("datetime_settings") or {}).get("timezone")
    try:
        return ZoneInfo(name or django_settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        logger.warning("amoCRM's time zone %s is unknown here", name)
        return ZoneInfo(django_settings.TIME_ZONE)
