"""Records as amoCRM prints them.

Shapes: amocrm.ru/developers → Сделки, Контакты, Воронки и этапы, Поля и группы полей,
События и примечания, Теги, Связи сущностей.
"""

from __future__ import annotations

from collections.abc import Collection

from amocrm.sandbox.account import seed
from amocrm.sandbox.account.model import (
    Contact,
    Entity,
    Field,
    Json,
    Lead,
    Note,
    Pipeline,
    Stage,
    Tag,
)
from amocrm.sandbox.account.store import Account


def links(base: str, path: str) -> Json:
    """``_links`` with only ``self``."""
    return {"self": {"href": f"{base}/api/v4/{path}"}}


def short_tag(tag: Tag) -> Json:
    """A tag inside an entity."""
    return {"id": tag.id, "name": tag.name, "color": tag.color}


def field_values(account: Account, entity: Entity, *, old_enum_key: bool) -> list[Json] | None:
    """``custom_fields_values``: ``None`` when the entity has none."""
    found: list[Json] = []
    for field_id, values in entity.values.items():
        definition = account.fields.get(field_id)
        if definition is None or not values:
            continue
        printed: list[Json] = []
        for one in values:
            if definition.enums:
                key = "enum" if old_enum_key else "enum_code"
                printed.append({"value": one.value, "enum_id": one.enum_id, key: one.enum_code})
            else:
                printed.append({"value": one.value})
        found.append(
            {
                "field_id": definition.id,
                "field_name": definition.name,
                "field_code": definition.code,
                "field_type": definition.type,
                "values": printed,
            }
        )
    return found or None


def contact_json(
    account: Account, contact: Contact, base: str, wanted: Collection[str], *, old_enum_key: bool
) -> Json:
    """A contact; ``wanted`` is what ``with=`` asked for. Leads come as ids only."""
    embedded: Json = {"tags": [short_tag(tag) for tag in contact.tags]}
    if "leads" in wanted:
        embedded["leads"] = [
            {"id": lead.id, "_links": links(base, f"leads/{lead.id}")}
            for lead in account.leads_of(contact.id)
        ]
    for key in ("customers", "catalog_elements"):
        if key in wanted:
            embedded[key] = []
    embedded["companies"] = []
    return {
        "id": contact.id,
        "name": contact.name,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "responsible_user_id": contact.responsible_user_id,
        "group_id": 0,
        "created_by": contact.created_by,
        "updated_by": contact.updated_by,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "closest_task_at": None,
        "custom_fields_values": field_values(account, contact, old_enum_key=old_enum_key),
        "account_id": seed.ACCOUNT_ID,
        "_links": links(base, f"contacts/{contact.id}"),
        "_embedded": embedded,
    }


def lead_json(
    account: Account, lead: Lead, base: str, wanted: Collection[str], *, old_enum_key: bool
) -> Json:
    """A lead; ``with=contacts`` adds its contacts, the main one first."""
    embedded: Json = {"tags": [short_tag(tag) for tag in lead.tags], "companies": []}
    if "contacts" in wanted:
        embedded["contacts"] = [
            {"id": one, "is_main": place == 0, "_links": links(base, f"contacts/{one}")}
            for place, one in enumerate(lead.contact_ids)
        ]
    return {
        "id": lead.id,
        "name": lead.name,
        "price": lead.price,
        "responsible_user_id": lead.responsible_user_id,
        "group_id": 0,
        "status_id": lead.status_id,
        "pipeline_id": lead.pipeline_id,
        "loss_reason_id": lead.loss_reason_id,
        "source_id": None,
        "created_by": lead.created_by,
        "updated_by": lead.updated_by,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
        "closed_at": lead.closed_at,
        "closest_task_at": None,
        "is_deleted": lead.is_deleted,
        "custom_fields_values": field_values(account, lead, old_enum_key=old_enum_key),
        "score": None,
        "account_id": seed.ACCOUNT_ID,
        "_links": links(base, f"leads/{lead.id}"),
        "_embedded": embedded,
    }


def note_json(note: Note, base: str) -> Json:
    """A note on a lead."""
    return {
        "id": note.id,
        "entity_id": note.entity_id,
        "created_by": note.created_by,
        "updated_by": note.created_by,
        "created_at": note.created_at,
        "updated_at": note.updated_at,
        "responsible_user_id": note.responsible_user_id,
        "group_id": 0,
        "note_type": note.note_type,
        "params": note.params,
        "account_id": seed.ACCOUNT_ID,
        "_links": links(base, f"leads/{note.entity_id}/notes/{note.id}"),
    }


def stage_json(stage: Stage, pipeline: Pipeline, base: str) -> Json:
    """A stage of a pipeline."""
    return {
        "id": stage.id,
        "name": stage.name,
        "sort": stage.sort,
        "is_editable": stage.is_editable,
        "pipeline_id": pipeline.id,
        "color": stage.color,
        "type": stage.type,
        "account_id": seed.ACCOUNT_ID,
        "_links": links(base, f"leads/pipelines/{pipeline.id}/statuses/{stage.id}"),
    }


def pipeline_json(pipeline: Pipeline, base: str) -> Json:
    """A pipeline with its stages."""
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "sort": pipeline.sort,
        "is_main": pipeline.is_main,
        "is_unsorted_on": True,
        "is_archive": False,
        "account_id": seed.ACCOUNT_ID,
        "_links": links(base, f"leads/pipelines/{pipeline.id}"),
        "_embedded": {"statuses": [stage_json(one, pipeline, base) for one in pipeline.stages]},
    }


def field_json(field: Field, base: str) -> Json:
    """The definition of a custom field."""
    enums = [
        {"id": enum_id, "value": code, "sort": 2 * (place + 1)}
        for place, (code, enum_id) in enumerate(field.enums.items())
    ]
    return {
        "id": field.id,
        "name": field.name,
        "type": field.type,
        "account_id": seed.ACCOUNT_ID,
        "code": field.code,
        "sort": field.sort,
        "is_api_only": False,
        "enums": enums or None,
        "group_id": field.group_id,
        "required_statuses": [],
        "is_deletable": False,
        "is_predefined": True,
        "entity_type": field.entity_type,
        "settings": None,
        "remind": None,
        "_links": links(base, f"{field.entity_type}/custom_fields/{field.id}"),
    }
