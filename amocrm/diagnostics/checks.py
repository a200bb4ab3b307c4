"""Django system checks: what is wrong with the configuration, before the first lead says so.

``manage.py check`` asks no network. ``manage.py check --deploy --tag amocrm`` also asks the
account whether the configured pipeline and stages are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils import timezone
from django.utils.translation import gettext as _

from amocrm import conf
from amocrm.account.schema import AccountSchema, fetch_schema
from amocrm.api.client import connect
from amocrm.api.schemas import CLOSED_STAGES
from amocrm.api.tokens import expiry_warning, source
from amocrm.errors import AccountPaused, AmoError
from config.loopback import is_loopback

TAG = "amocrm"
MOST_RPS = 7  # amocrm.ru/developers, "Ограничения"


@register(TAG)
def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What the settings alone tell."""
    return list(_settings_problems(conf.current()))


@register(TAG, deploy=True)
def check_account(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What the account tells. Changes nothing, also where the account is paused."""
    settings = conf.current()
    try:
        with connect(settings) as client:
            schema = fetch_schema(client.probing(), settings)
    except AmoError as error:
        return [_unanswered(error)]
    return list(_stage_problems(settings, schema))


def _settings_problems(settings: conf.AmoSettings) -> Iterator[CheckMessage]:
    url = urlsplit(settings.base_url)
    is_local = is_loopback(url.hostname)
    if not url.hostname or (url.scheme != "https" and not is_local):
        yield Error(
            _("AMOCRM_BASE_URL is %(url)r, which is no address of an amoCRM account.")
            % {"url": settings.base_url},
            hint=_("Write the account's address alone, as in https://example.amocrm.ru."),
            id="amocrm.E001",
        )
    try:
        source(settings)
    except ValueError as error:
        yield Error(
            _("AMOCRM_ACCESS_TOKEN cannot be a token: %(reason)s.") % {"reason": _(str(error))},
            hint=_("Copy the long-lived token from the integration's “Keys” tab, whole and alone."),
            id="amocrm.E002",
        )
    if settings.max_rps > MOST_RPS and not is_local:
        yield Error(
            _("AMOCRM_MAX_RPS is %(rps)g: amoCRM blocks who sends more than %(most)d a second.")
            % {"rps": settings.max_rps, "most": MOST_RPS},
            hint=_("Set 5: other integrations of the account need some, too."),
            id="amocrm.E003",
        )
    for name, stage in settings.stages.items():
        if stage in CLOSED_STAGES:
            yield Error(
                _("%(name)s is %(stage)d, a stage of closed leads.")
                % {"name": name, "stage": stage},
                hint=_("Name a stage in which a lead is worked on, or leave it empty."),
                id="amocrm.E004",
            )
    if settings.pipeline_id is None and any(settings.stages.values()):
        yield Warning(
            _("Stages are configured, but no pipeline: they must all be of the main one."),
            hint=_("Set AMOCRM_PIPELINE_ID to the pipeline that has these stages."),
            id="amocrm.W002",
        )
    if ending := expiry_warning(timezone.now()):
        yield Warning(
            ending,
            hint=_("Issue it in the integration's “Keys” tab and set AMOCRM_ACCESS_TOKEN."),
            id="amocrm.W001",
        )


def _stage_problems(
    settings: conf.AmoSettings, schema: AccountSchema | None
) -> Iterator[CheckMessage]:
    if schema is None:
        yield Error(
            _("The account has no usable pipeline %(pipeline)s.")
            % {"pipeline": settings.pipeline_id or _("that is the main one")},
            hint=_("Set AMOCRM_PIPELINE_ID: manage.py amocrm_check shows which there are."),
            id="amocrm.E010",
        )
        return
    for name, stage in settings.stages.items():
        if stage and stage not in schema.ordinary_stages:
            yield Error(
                _("%(name)s is %(stage)d, which is no stage of the pipeline “%(pipeline)s”.")
                % {"name": name, "stage": stage, "pipeline": schema.pipeline_name},
                hint=_("Choose one of these: %(stages)s.") % {"stages": schema.listed_stages},
                id="amocrm.E011",
            )


def _unanswered(error: AmoError) -> CheckMessage:
    hint = _("Run manage.py amocrm_check: it says what to do.")
    if isinstance(error, AccountPaused) and error.status:
        return Error(
            _("amoCRM refuses to answer: %(error)s") % {"error": error},
            hint=hint,
            id="amocrm.E012",
        )
    return Warning(
        _("amoCRM could not be asked about the pipeline and its stages: %(error)s")
        % {"error": error},
        hint=hint,
        id="amocrm.W010",
    )
