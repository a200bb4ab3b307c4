"""The account, its pipelines, fields and tags: what is read and rarely changes.

amocrm.ru/developers → Параметры аккаунта; Воронки и этапы; Поля и группы полей; Теги.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from amocrm.sandbox.account import seed
from amocrm.sandbox.account.model import EntityType, Json, Pipeline
from amocrm.sandbox.api.listing import page_of
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Answer, as_json, nothing
from amocrm.sandbox.api.serializers import field_json, links, pipeline_json, short_tag, stage_json


def account(call: Call) -> Answer:
    """``GET /api/v4/account``: always the same core, more of it for ``with=``."""
    body: Json = {
        "id": seed.ACCOUNT_ID,
        "name": seed.ACCOUNT_NAME,
        "subdomain": seed.SUBDOMAIN,
        "created_at": seed.ACCOUNT_CREATED_AT,
        "created_by": 0,
        "updated_at": seed.ACCOUNT_CREATED_AT,
        "updated_by": 0,
        "current_user_id": seed.CURRENT_USER_ID,
        "country": "KZ",
        "currency": "KZT",
        "currency_symbol": "₸",
        "customers_mode": "unavailable",
        "is_unsorted_on": True,
        "mobile_feature_version": 0,
        "is_loss_reason_enabled": True,
        "is_helpbot_enabled": False,
        "is_technical_account": False,
        "contact_name_display_order": 1,
    }
    extra: Json = {
        "amojo_id": "f3c6340d-410e-4ad1-9f7e-c5e663599a32",
        "uuid": "824f3a59-6154-4edf-ad90-0b5593715d07",
        "version": 12,
        "is_api_filter_enabled": call.settings.is_api_filter_enabled,
    }
    body.update({key: value for key, value in extra.items() if key in call.wanted})
    body["_links"] = links(call.base, "account")
    embedded = {
        "users_groups": [{"id": 0, "name": "Отдел продаж", "uuid": None}],
        "task_types": [{"id": 1, "name": "Связаться", "color": None, "code": "FOLLOW_UP"}],
        "datetime_settings": _datetime_settings(call),
    }
    chosen = {key: value for key, value in embedded.items() if key in call.wanted}
    if chosen:
        body["_embedded"] = chosen
    return as_json(200, body)


def _datetime_settings(call: Call) -> Json:
    offset = datetime.fromtimestamp(
        call.account.clock.stamp(), tz=ZoneInfo(call.settings.timezone)
    ).strftime("%z")
    return {
        "date_pattern": "d.m.Y H:i",
        "short_date_pattern": "d.m.Y",
        "short_time_pattern": "H:i",
        "date_formant": "d.m.Y",
        "time_format": "H:i:s",
        "timezone": call.settings.timezone,
        "timezone_offset": f"{offset[:3]}:{offset[3:]}",
    }


def pipelines(call: Call) -> Answer:
    """``GET /api/v4/leads/pipelines``."""
    rows = [pipeline_json(one, call.base) for one in call.account.pipelines.values()]
    return as_json(
        200,
        {
            "_total_items": len(rows),
            "_links": links(call.base, "leads/pipelines"),
            "_embedded": {"pipelines": rows},
        },
    )


def pipeline(call: Call) -> Answer:
    """``GET /api/v4/leads/pipelines/{id}``."""
    found = _pipeline(call)
    return as_json(200, pipeline_json(found, call.base)) if found else nothing()


def stages(call: Call) -> Answer:
    """``GET /api/v4/leads/pipelines/{id}/statuses``."""
    found = _pipeline(call)
    if found is None:
        return nothing()
    rows = [_described(stage_json(one, found, call.base)) for one in found.stages]
    return as_json(200, {"_total_items": len(rows), "_embedded": {"statuses": rows}})


def stage(call: Call) -> Answer:
    """``GET /api/v4/leads/pipelines/{id}/statuses/{id}``."""
    home = _pipeline(call)
    found = home.stage(call.ids[1]) if home else None
    if home is None or found is None:
        return nothing()
    return as_json(200, _described(stage_json(found, home, call.base)))


def _described(stage: Json) -> Json:
    """A stage outside its pipeline has one key more."""
    return {**stage, "descriptions": []}


def _pipeline(call: Call) -> Pipeline | None:
    return call.account.pipelines.get(call.ids[0])


def lead_fields(call: Call) -> Answer:
    """``GET /api/v4/leads/custom_fields``."""
    return _fields(call, "leads")


def contact_fields(call: Call) -> Answer:
    """``GET /api/v4/contacts/custom_fields``."""
    return _fields(call, "contacts")


def _fields(call: Call, entity_type: EntityType) -> Answer:
    return page_of(
        call,
        call.account.fields_of(entity_type),
        name="custom_fields",
        path=f"{entity_type}/custom_fields",
        printed=lambda one: field_json(one, call.base),
        totals=True,
    )


def lead_field(call: Call) -> Answer:
    """``GET /api/v4/leads/custom_fields/{id}``."""
    return _field(call, "leads")


def contact_field(call: Call) -> Answer:
    """``GET /api/v4/contacts/custom_fields/{id}``."""
    return _field(call, "contacts")


def _field(call: Call, entity_type: EntityType) -> Answer:
    found = call.account.field(entity_type, call.ids[0])
    return as_json(200, field_json(found, call.base)) if found else nothing()


def lead_tags(call: Call) -> Answer:
    """``GET /api/v4/leads/tags``."""
    return _tags(call, "leads")


def contact_tags(call: Call) -> Answer:
    """``GET /api/v4/contacts/tags``."""
    return _tags(call, "contacts")


def _tags(call: Call, entity_type: EntityType) -> Answer:
    query = call.request.query.get("query", [""])[-1].casefold()
    rows = [tag for tag in call.account.tags[entity_type] if query in tag.name.casefold()]
    return page_of(call, rows, name="tags", path=f"{entity_type}/tags", printed=short_tag)
