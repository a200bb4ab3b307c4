"""What the account is made of: plain records; :mod:`.store` keeps, :mod:`.wire` prints them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
EntityType = Literal["contacts", "leads"]

WON = 142
LOST = 143
ORDINARY = 0
UNSORTED = 1


@dataclass
class Field:
    """The definition of one custom field. ``enums`` maps enum code to enum id."""

    id: int
    name: str
    code: str
    type: str
    sort: int
    entity_type: EntityType
    enums: dict[str, int] = field(default_factory=dict)
    group_id: str | None = None


@dataclass
class Stage:
    """One stage of a pipeline; ``type`` is 1 for «Неразобранное», else 0."""

    id: int
    name: str
    sort: int
    color: str
    type: int = ORDINARY
    is_editable: bool = True


@dataclass
class Pipeline:
    """A pipeline and its stages, in order of ``sort``."""

    id: int
    name: str
    sort: int
    is_main: bool
    stages: list[Stage]

    def stage(self, stage_id: int) -> Stage | None:
        """The stage with this id, or ``None``."""
        return next((stage for stage in self.stages if stage.id == stage_id), None)

    @property
    def unsorted(self) -> Stage:
        """The pipeline's «Неразобранное»."""
        return next(stage for stage in self.stages if stage.type == UNSORTED)

    @property
    def first_ordinary(self) -> Stage:
        """Where a lead goes when nobody says otherwise."""
        return next(stage for stage in self.stages if stage.type == ORDINARY)


@dataclass
class Tag:
    """A tag of one entity type."""

    id: int
    name: str
    color: str | None = None


@dataclass
class Value:
    """One value of a custom field; the enum is set for multitext only."""

    value: str
    enum_code: str | None = None
    enum_id: int | None = None


@dataclass
class Entity:
    """What contacts and leads share.

    Times are whole epoch seconds, but for ``written_at``: the last write, from which lists
    count their lag; 0 for long ago.
    """

    id: int
    name: str
    created_at: int
    updated_at: int
    responsible_user_id: int
    created_by: int = 0
    updated_by: int = 0
    written_at: float = 0.0
    is_deleted: bool = False
    values: dict[int, list[Value]] = field(default_factory=dict)
    tags: list[Tag] = field(default_factory=list)

    def texts(self) -> Iterator[str]:
        """The name and every field value: what search looks through."""
        yield self.name
        for values in self.values.values():
            for value in values:
                yield value.value


@dataclass
class Contact(Entity):
    """A contact. ``is_unsorted`` hides it from lists while its lead was not accepted."""

    first_name: str = ""
    last_name: str = ""
    is_unsorted: bool = False


@dataclass
class Lead(Entity):
    """A lead. ``contact_ids`` has the main contact first; ``Account.relink`` changes them."""

    pipeline_id: int = 0
    status_id: int = 0
    price: int = 0
    closed_at: int | None = None
    loss_reason_id: int | None = None
    contact_ids: tuple[int, ...] = ()
    metadata: Json | None = None

    @property
    def is_active(self) -> bool:
        """Neither deleted nor closed."""
        return not self.is_deleted and self.status_id not in (WON, LOST)


@dataclass
class Note:
    """A note on a lead. There is no way to delete one."""

    id: int
    entity_id: int
    note_type: str
    params: Json
    created_at: int
    updated_at: int
    responsible_user_id: int
    created_by: int = 0
    written_at: float = 0.0
