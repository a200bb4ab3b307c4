"""What amoCRM's answers say, as frozen values. An unknown shape raises.

Shapes: amocrm.ru/developers, "Контакты", "Сделки", "Воронки", "Поля".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

WON = 142
LOST = 143
CLOSED_STAGES = frozenset((WON, LOST))

Json = Mapping[str, Any]


class UnreadableAnswer(ValueError):
    """The body has not the documented shape."""


@dataclass(frozen=True)
class Contact:
    """A contact with its e-mails and phones as typed, and the ids of its leads where those were
    asked for."""

    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    lead_ids: tuple[int, ...]
    fields: tuple[Json, ...]

    @classmethod
    def parse(cls, body: Json) -> Contact:
        """Raises :class:`UnreadableAnswer`."""
        try:
            fields = tuple(body.get("custom_fields_values") or ())
            return cls(
                id=int(body["id"]),
                name=str(body.get("name") or ""),
                created_at=_moment(body["created_at"]),
                updated_at=_moment(body["updated_at"]),
                emails=values_of(fields, "EMAIL"),
                phones=values_of(fields, "PHONE"),
                lead_ids=tuple(int(lead["id"]) for lead in embedded(body, "leads")),
                fields=fields,
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UnreadableAnswer("not a contact") from error


@dataclass(frozen=True)
class Lead:
    """A lead. ``filled`` holds the codes of its custom fields that have a value."""

    id: int
    pipeline_id: int
    status_id: int
    is_deleted: bool
    created_at: datetime
    updated_at: datetime
    tags: frozenset[str]
    contact_ids: tuple[int, ...]
    filled: frozenset[str]

    @classmethod
    def parse(cls, body: Json) -> Lead:
        """Raises :class:`UnreadableAnswer`. The main contact comes first."""
        try:
            contacts = sorted(embedded(body, "contacts"), key=lambda c: not c.get("is_main"))
            return cls(
                id=int(body["id"]),
                pipeline_id=int(body["pipeline_id"]),
                status_id=int(body["status_id"]),
                is_deleted=bool(body.get("is_deleted")),
                created_at=_moment(body["created_at"]),
                updated_at=_moment(body["updated_at"]),
                tags=frozenset(str(tag["name"]) for tag in embedded(body, "tags")),
                contact_ids=tuple(int(contact["id"]) for contact in contacts),
                filled=frozenset(
                    str(field["field_code"])
                    for field in body.get("custom_fields_values") or ()
                    if field.get("field_code") and _has_value(field)
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UnreadableAnswer("not a lead") from error

    def is_active(self, pipeline_id: int) -> bool:
        """In the configured pipeline, not deleted, neither won nor lost."""
        return (
            self.pipeline_id == pipeline_id
            and not self.is_deleted
            and self.status_id not in CLOSED_STAGES
        )


def newest_first(leads: Iterable[Lead]) -> list[Lead]:
    """The most recently updated one first."""
    return sorted(leads, key=lambda lead: (lead.updated_at, lead.id), reverse=True)


@dataclass(frozen=True)
class Note:
    """A note of a lead; ``text`` is empty for one of another kind than text."""

    lead_id: int
    created_at: datetime
    text: str

    @classmethod
    def parse(cls, body: Json) -> Note:
        """Raises :class:`UnreadableAnswer`."""
        try:
            return cls(
                lead_id=int(body["entity_id"]),
                created_at=_moment(body["created_at"]),
                text=note_text(body),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UnreadableAnswer("not a note") from error


@dataclass(frozen=True)
class Created:
    """What ``POST /leads/complex`` made, or with ``merged`` what amoCRM found instead."""

    lead_id: int
    contact_id: int | None
    merged: bool

    @classmethod
    def parse(cls, body: Any) -> Created:
        """Raises :class:`UnreadableAnswer`. The documented answer is a bare array."""
        try:
            (row,) = body
            contact_id = row.get("contact_id")
            return cls(
                lead_id=int(row["id"]),
                contact_id=int(contact_id) if contact_id else None,
                merged=bool(row.get("merged")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UnreadableAnswer("not the answer of leads/complex") from error


def embedded(body: Json, kind: str) -> list[Json]:
    """``_embedded[kind]``: both levels may be missing or null."""
    within = body.get("_embedded") or {}
    found = within.get(kind) or [] if isinstance(within, Mapping) else within
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise UnreadableAnswer(f"_embedded.{kind} is not a list of objects")
    return found


def has_next(body: Json) -> bool:
    """Whether a list goes on: ``_links.next``."""
    links = body.get("_links")
    return isinstance(links, Mapping) and bool(links.get("next"))


def note_text(body: Json) -> str:
    """The text of a note, empty for one of another kind."""
    params = body.get("params")
    return str(params.get("text") or "") if isinstance(params, Mapping) else ""


def values_of(fields: tuple[Json, ...], code: str) -> tuple[str, ...]:
    """The values of the custom field ``code`` (PHONE, EMAIL), as typed."""
    return tuple(
        str(value["value"])
        for field in fields
        if field.get("field_code") == code
        for value in field.get("values") or ()
        if value.get("value")
    )


def _has_value(field: Json) -> bool:
    return any(value.get("value") not in (None, "") for value in field.get("values") or ())


def _moment(epoch: Any) -> datetime:
    return datetime.fromtimestamp(int(epoch), tz=UTC)
