"""A contact or lead as a client wants it, checked but not yet written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from amocrm.sandbox.account import seed
from amocrm.sandbox.account.model import (
    UNSORTED,
    Contact,
    Entity,
    EntityType,
    Json,
    Lead,
    Tag,
    Value,
)
from amocrm.sandbox.account.store import Account, without
from amocrm.sandbox.api.validation import Problems, read_tags, read_values, text, whole_number


@dataclass
class Draft:
    """What is asked for: attributes to set, fields to replace, tags to change, a stage to go to.

    ``tags`` replaces the set when it is not ``None``; the other two change it.
    """

    request_id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    values: dict[int, list[Value]] = field(default_factory=dict)
    tags: list[Tag] | None = None
    tags_to_add: list[Tag] = field(default_factory=list)
    tags_to_delete: list[Tag] = field(default_factory=list)
    stage: tuple[int, int] | None = None
    contacts: list[tuple[int, bool]] = field(default_factory=list)

    def write(self, entity: Entity) -> None:
        """Carry out all but the stage and the links."""
        for name, value in self.attributes.items():
            setattr(entity, name, value)
        for field_id, values in self.values.items():
            if values:
                entity.values[field_id] = values
            else:
                entity.values.pop(field_id, None)
        if self.tags is not None:
            entity.tags = list(self.tags)
        entity.tags = without(entity.tags, self.tags_to_add) + self.tags_to_add
        entity.tags = without(entity.tags, self.tags_to_delete)


def draft_contact(
    account: Account,
    item: Json,
    request_id: str,
    problems: Problems,
    *,
    current: Contact | None = None,
    prefix: str = "",
) -> Draft:
    """Read a contact model; ``current`` is the contact a PATCH is about."""
    draft = _draft(account, "contacts", item, request_id, problems, prefix)
    first = text(item, "first_name", request_id, problems)
    last = text(item, "last_name", request_id, problems)
    if first is not None:
        draft.attributes["first_name"] = first
    if last is not None:
        draft.attributes["last_name"] = last
    if "name" not in draft.attributes and (first is not None or last is not None):
        first = first if first is not None else (current.first_name if current else "")
        last = last if last is not None else (current.last_name if current else "")
        draft.attributes["name"] = f"{first} {last}".strip()
    return draft


def draft_lead(
    account: Account,
    item: Json,
    request_id: str,
    problems: Problems,
    *,
    current: Lead | None = None,
) -> Draft:
    """Read a lead model; ``current`` is the lead a PATCH is about."""
    draft = _draft(account, "leads", item, request_id, problems, "")
    for name in ("price", "loss_reason_id", "closed_at"):
        value = whole_number(item, name, request_id, problems)
        if value is not None:
            draft.attributes[name] = value
    draft.stage = _stage(account, item, request_id, problems, current)
    return draft


def read_links(account: Account, item: Json, draft: Draft, problems: Problems) -> None:
    """``_embedded.contacts`` of a new lead: existing contacts, by id."""
    embedded = item.get("_embedded")
    rows = (embedded.get("contacts") if isinstance(embedded, dict) else None) or []
    if not isinstance(rows, list):
        rows = [rows]
    for place, row in enumerate(rows):
        contact_id = row.get("id") if isinstance(row, dict) else None
        if not isinstance(contact_id, int) or account.contact(contact_id) is None:
            problems.no_choice(draft.request_id, f"_embedded.contacts.{place}.id")
        else:
            draft.contacts.append((contact_id, bool(row.get("is_main", place == 0))))


def _draft(
    account: Account,
    entity_type: EntityType,
    item: Json,
    request_id: str,
    problems: Problems,
    prefix: str,
) -> Draft:
    draft = Draft(request_id)
    name = text(item, "name", request_id, problems)
    if name is not None:
        draft.attributes["name"] = name
    for key in ("responsible_user_id", "created_by", "updated_by", "created_at"):
        value = whole_number(item, key, request_id, problems)
        if value is not None:
            draft.attributes[key] = value
    responsible = draft.attributes.get("responsible_user_id")
    if responsible is not None and responsible not in seed.USER_IDS:
        problems.no_choice(request_id, f"{prefix}responsible_user_id")
    draft.values = read_values(account, entity_type, item, request_id, problems, prefix)

    def tags(rows: Any, path: str) -> list[Tag]:
        return read_tags(account, entity_type, rows, f"{prefix}{path}", request_id, problems)

    embedded = item.get("_embedded")
    if isinstance(embedded, dict) and "tags" in embedded:
        draft.tags = tags(embedded["tags"] or [], "_embedded.tags")
    if item.get("tags_to_add"):
        draft.tags_to_add = tags(item["tags_to_add"], "tags_to_add")
    if item.get("tags_to_delete"):
        draft.tags_to_delete = tags(item["tags_to_delete"], "tags_to_delete")
    return draft


def _stage(
    account: Account, item: Json, request_id: str, problems: Problems, current: Lead | None
) -> tuple[int, int] | None:
    """Where the lead is to go, ``None`` to stay. A move into «Неразобранное» is a problem."""
    pipeline_id = whole_number(item, "pipeline_id", request_id, problems)
    status_id = whole_number(item, "status_id", request_id, problems)
    if pipeline_id is not None and pipeline_id not in account.pipelines:
        problems.no_choice(request_id, "pipeline_id")
        return None
    if status_id is None:
        if pipeline_id is None or (current and current.pipeline_id == pipeline_id):
            return None
        return pipeline_id, account.pipelines[pipeline_id].first_ordinary.id
    home = account.pipelines[current.pipeline_id] if current else account.main_pipeline
    candidates = (
        [account.pipelines[pipeline_id]]
        if pipeline_id is not None
        else [home, *account.pipelines.values()]
    )
    for pipeline in candidates:
        stage = pipeline.stage(status_id)
        if stage is None:
            continue
        stays = current is not None and (current.pipeline_id, current.status_id) == (
            pipeline.id,
            stage.id,
        )
        if stage.type == UNSORTED and not stays:
            break
        return pipeline.id, stage.id
    problems.no_choice(request_id, "status_id")
    return None
