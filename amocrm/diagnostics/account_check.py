"""Going through everything that deliveries need, and saying in words what to fix.

Each step yields findings; :func:`examine` runs them in the order in which a person would ask.
Nothing is changed in the account, except by
:func:`~amocrm.diagnostics.sample_lead.make_sample_lead`, and a paused account is asked all the same
and stays paused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _

from amocrm import conf
from amocrm.account.links import lead_url
from amocrm.account.schema import AccountSchema, fetch_schema
from amocrm.api import pause, rate_limit
from amocrm.api.client import Client, connect
from amocrm.api.schemas import Json
from amocrm.api.tokens import source
from amocrm.diagnostics import faults, mirror_check, phone_search
from amocrm.diagnostics.finding import Finding
from amocrm.diagnostics.sample_lead import SampleLead, make_sample_lead
from amocrm.errors import AmoError, OutcomeUnknown, Refused
from amocrm.locks import health
from amocrm.models import AccountState
from amocrm.text.printable import one_line

# The fields of a lead that our landing pages can fill.
WANTED_FIELDS = (
    "UTM_SOURCE",
    "UTM_MEDIUM",
    "UTM_CAMPAIGN",
    "UTM_CONTENT",
    "UTM_TERM",
    "FBCLID",
    "GCLID",
)


Findings = Iterator[Finding]


def examine(settings: conf.AmoSettings, *, create_test_lead: bool = False) -> Findings:
    """Everything, in order. Stops where what follows cannot be asked."""
    yield from _settings_findings(settings)
    database = _database_finding()
    yield database
    if database.level == "error":
        return  # whether the account is paused stands in there
    redis = faults.of_redis(health.check())
    yield redis or Finding("ok", "redis", _("Redis answers and takes locks."))
    if redis and redis.level == "error":
        # The account can still be asked, with a limit of this process alone.
        settings = replace(settings, redis_enabled=False)
    try:
        yield from _asked_findings(settings, create_test_lead=create_test_lead)
    except AmoError as error:
        yield faults.no_answer(settings, error)


def _asked_findings(settings: conf.AmoSettings, *, create_test_lead: bool) -> Findings:
    with connect(settings) as connected:
        client = connected.probing()
        yield from _account_findings(settings, client.account())
        for step in (_schema_findings, _pace_findings):
            try:
                yield from step(client, settings)
            except AmoError as error:
                yield faults.no_answer(settings, error)
        yield mirror_check.finding(settings)
        sample = None
        if create_test_lead:
            sample, finding = _test_lead(client, settings)
            yield finding
        contact_id = sample.contact_id if sample and not sample.merged else None
        yield phone_search.finding(client, settings, contact_id)


def _settings_findings(settings: conf.AmoSettings) -> Findings:
    found = list(faults.in_settings(settings))
    yield from found or [Finding("ok", "settings", _("The settings fit together."))]


def _database_finding() -> Finding:
    try:
        AccountState.objects.exists()
    except DatabaseError as error:
        return Finding(
            "error",
            "database",
            _("The database cannot be used: %(error)s") % {"error": one_line(str(error))},
            _("Check DATABASE_URL, then run manage.py migrate (make install does)."),
        )
    return Finding("ok", "database", _("The database answers and has its tables."))


def _account_findings(settings: conf.AmoSettings, account: Json) -> Findings:
    yield Finding(
        "ok",
        "account",
        _("amoCRM answers: account “%(name)s”, %(address)s")
        % {"name": account.get("name", "?"), "address": settings.base_url},
    )
    end = source(settings).expires_at()
    if fault := faults.of_token(timezone.now()):
        yield fault
    elif end is None:
        yield Finding("ok", "token", _("The access token works; it does not say until when."))
    else:
        text = _("The access token works, and will until %(date)s.") % {"date": f"{end:%d.%m.%Y}"}
        yield Finding("ok", "token", text)


def _schema_findings(client: Client, settings: conf.AmoSettings) -> Findings:
    schema = fetch_schema(client, settings)
    if schema is None:
        usable = [one for one in client.pipelines() if not one.get("is_archive")]
        there = "; ".join(f"{one.get('id')} {one.get('name')}" for one in usable)
        yield Finding(
            "error",
            "pipeline",
            faults.no_pipeline(settings),
            _("Set AMOCRM_PIPELINE_ID to one of these: %(pipelines)s.") % {"pipelines": there},
        )
        return
    yield Finding(
        "ok",
        "pipeline",
        _("Pipeline “%(name)s” (%(id)d)")
        % {"name": schema.pipeline_name, "id": schema.pipeline_id},
    )
    names = {stage.id: stage.name for stage in schema.stages}
    for setting, stage in settings.stages.items():
        values = {"setting": setting, "id": stage, "name": names.get(stage or schema.first_stage)}
        if stage is None:
            text = _("%(setting)s is empty: leads go to the first stage, “%(name)s”.") % values
            yield Finding("ok", "stage", text)
        elif stage in schema.ordinary_stages:
            yield Finding("ok", "stage", _("%(setting)s: stage “%(name)s” (%(id)d)") % values)
        else:
            yield Finding(
                "error",
                "stage",
                _("%(setting)s is %(id)d, which is no stage of this pipeline that takes leads.")
                % values,
                _("Choose one of these: %(stages)s.") % {"stages": schema.listed_stages},
            )
    yield _field_finding(schema)


def _field_finding(schema: AccountSchema) -> Finding:
    missing = [code for code in WANTED_FIELDS if code not in schema.lead_fields]
    if not missing:
        return Finding("ok", "fields", _("All UTM fields are there."))
    return Finding(
        "warning",
        "fields",
        _("The account has no lead fields %(codes)s: these values are left out of leads.")
        % {"codes": ", ".join(missing)},
        _("Add them as statistics fields of leads, if you need them there."),
    )


def _pace_findings(client: Client, settings: conf.AmoSettings) -> Findings:
    recent = rate_limit.for_account(settings).last_second()
    yield Finding(
        "ok",
        "limits",
        _("At most %(most)g requests a second; in the last one: %(recent)d.")
        % {"most": settings.max_rps, "recent": recent},
    )
    if paused := pause.current():
        yield faults.of_pause(paused)


def _test_lead(client: Client, settings: conf.AmoSettings) -> tuple[SampleLead | None, Finding]:
    try:
        sample = make_sample_lead(client, settings)
    except OutcomeUnknown as error:
        text = _("Whether the test lead was made is not known: %(error)s") % {"error": error}
        fix = _("Look for it in the pipeline before you try again, and close it.")
        return None, Finding("error", "test_lead", text, fix)
    except Refused as error:
        text = _("No test lead was made: %(error)s") % {"error": error}
        fix = _("Deliveries would be refused in the same way: change what it names.")
        return None, Finding("error", "test_lead", text, fix)
    except AmoError as error:
        return None, faults.no_answer(settings, error, about="test_lead")
    url = {"url": lead_url(settings.base_url, sample.lead_id)}
    if sample.merged:
        text = _("amoCRM's duplicate control put the test into an older lead: %(url)s") % url
        fix = _("Do not close it, it is somebody's: only take the tag “тест” off again.")
        return sample, Finding("warning", "test_lead", text, fix)
    text = _("Test lead made: %(url)s") % url
    fix = _("Close it when you have seen it: the API cannot delete.")
    return sample, Finding("ok", "test_lead", text, fix)
