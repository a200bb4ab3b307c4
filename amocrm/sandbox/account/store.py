"""The account in memory. One lock guards all of it; whoever answers a request holds it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from amocrm.sandbox.account import seed
from amocrm.sandbox.account.clock import Clock
from amocrm.sandbox.account.model import (
    LOST,
    UNSORTED,
    WON,
    Contact,
    Entity,
    EntityType,
    Field,
    Json,
    Lead,
    Note,
    Pipeline,
    Stage,
    Tag,
)
from amocrm.sandbox.account.search import Index


class Account:
    """Contacts, leads, notes, tags, fields and pipelines, and the order they came in.

    ``id_shift`` is added to every first id: a sandbox that starts anew must not hand out
    ids that somebody's database still remembers. :meth:`clear` never reuses ids either.
    ``generation`` counts the clearings, so that a write decided before one is dropped.
    """

    def __init__(self, clock: Clock, *, id_shift: int = 0) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.generation = 0
        self._next = {
            "contact": seed.FIRST_CONTACT_ID + id_shift,
            "lead": seed.FIRST_LEAD_ID + id_shift,
            "note": seed.FIRST_NOTE_ID + id_shift,
            "tag": seed.FIRST_TAG_ID,
        }
        self.clear()

    def clear(self) -> None:
        """Empty the account, keeping only what :mod:`.seed` gives it."""
        with self.lock:
            self.generation += 1
            self.contacts: dict[int, Contact] = {}
            self.leads: dict[int, Lead] = {}
            self.notes: dict[int, Note] = {}
            self.tags: dict[EntityType, list[Tag]] = {"contacts": [], "leads": []}
            self._notes_by_lead: dict[int, list[Note]] = {}
            self._leads_by_contact: dict[int, dict[int, Lead]] = {}
            self.order: list[Json] = []
            self.index = Index()
            self.pipelines = {one.id: one for one in seed.pipelines()}
            self.fields = {one.id: one for one in seed.fields()}

    # Looking up

    @property
    def main_pipeline(self) -> Pipeline:
        """The pipeline leads go to when nobody names one."""
        return next(one for one in self.pipelines.values() if one.is_main)

    def stage_of(self, lead: Lead) -> Stage:
        """The stage the lead is in."""
        stage = self.pipelines[lead.pipeline_id].stage(lead.status_id)
        assert stage is not None  # noqa: S101 - validated when the lead was written
        return stage

    def unsorted_stages(self) -> set[tuple[int, int]]:
        """Pipeline and stage of every «Неразобранное»."""
        return {
            (pipeline.id, stage.id)
            for pipeline in self.pipelines.values()
            for stage in pipeline.stages
            if stage.type == UNSORTED
        }

    def field(self, entity_type: EntityType, key: int | str) -> Field | None:
        """A custom field by id or code, or ``None`` if this entity type has none such."""
        for one in self.fields.values():
            if one.entity_type == entity_type and key in (one.id, one.code):
                return one
        return None

    def fields_of(self, entity_type: EntityType) -> list[Field]:
        """All custom fields of an entity type, in order."""
        found = [one for one in self.fields.values() if one.entity_type == entity_type]
        return sorted(found, key=lambda one: one.sort)

    def values(self, entity: Entity, code: str) -> list[str]:
        """The entity's values of the field with this code."""
        entity_type: EntityType = "contacts" if isinstance(entity, Contact) else "leads"
        found = self.field(entity_type, code)
        return [one.value for one in entity.values.get(found.id, [])] if found else []

    def contact(self, contact_id: int) -> Contact | None:
        """A contact that was not deleted."""
        found = self.contacts.get(contact_id)
        return None if found is None or found.is_deleted else found

    def leads_of(self, contact_id: int) -> list[Lead]:
        """Every lead linked to the contact, deleted ones too, oldest first."""
        found = self._leads_by_contact.get(contact_id, {})
        return [found[lead_id] for lead_id in sorted(found)]

    def notes_of(self, lead_id: int) -> list[Note]:
        """The lead's notes, oldest first."""
        return list(self._notes_by_lead.get(lead_id, []))

    # Writing

    def _new_id(self, what: str) -> int:
        found = self._next[what]
        self._next[what] += 2
        return found

    def _log_created(self, what: str, entity_id: int) -> int:
        self.order.append({"type": what, "id": entity_id, "at": self.clock.seconds()})
        return entity_id

    def add_contact(self, **given: Any) -> Contact:
        """Store a new contact with these attributes; search sees it after the lag."""
        contact = Contact(**self._common("contact", given))
        self.contacts[contact.id] = contact
        self.index.written(contact, self.clock.seconds())
        return contact

    def add_lead(self, **given: Any) -> Lead:
        """Store a new lead with these attributes."""
        contact_ids = given.pop("contact_ids", ())
        lead = Lead(**self._common("lead", given))
        if not lead.name:
            lead.name = f"Сделка #{lead.id}"
        if not lead.is_active and lead.closed_at is None:
            lead.closed_at = lead.updated_at
        self.leads[lead.id] = lead
        self.relink(lead, contact_ids)
        return lead

    def add_note(self, *, entity_id: int, note_type: str, params: Json, **given: Any) -> Note:
        """Store a note on a lead. The lead's ``updated_at`` moves, as it does in amoCRM."""
        now = self.clock.stamp()
        note = Note(
            id=self._log_created("note", self._new_id("note")),
            entity_id=entity_id,
            note_type=note_type,
            params=params,
            created_at=given.get("created_at", now),
            updated_at=given.get("created_at", now),
            responsible_user_id=given.get("responsible_user_id", seed.CURRENT_USER_ID),
            created_by=given.get("created_by", 0),
            written_at=self.clock.seconds(),
        )
        self.notes[note.id] = note
        self._notes_by_lead.setdefault(entity_id, []).append(note)
        lead = self.leads[entity_id]
        lead.updated_at = max(lead.updated_at, now)
        lead.written_at = self.clock.seconds()
        return note

    def _common(self, what: str, given: dict[str, Any]) -> dict[str, Any]:
        now = self.clock.stamp()
        created_at = given.get("created_at", now)
        return {
            "name": "",
            "created_at": created_at,
            "updated_at": max(now, created_at),
            "responsible_user_id": seed.CURRENT_USER_ID,
            "written_at": self.clock.seconds(),
            **given,
            "id": self._log_created(what, self._new_id(what)),
        }

    def touched(self, entity: Entity) -> None:
        """The entity was written: move ``updated_at``, tell lists and the search index."""
        entity.updated_at = self.clock.stamp()
        entity.written_at = self.clock.seconds()
        if isinstance(entity, Contact):
            self.index.written(entity, self.clock.seconds())

    def keep_listed(self, lag: float) -> None:
        """What is listed under ``lag`` seconds stays so; call it before the lag changes."""
        now = self.clock.seconds()
        everything: list[Entity | Note] = [
            *self.contacts.values(),
            *self.leads.values(),
            *self.notes.values(),
        ]
        for one in everything:
            if one.written_at + lag <= now:
                one.written_at = 0.0

    def place(self, lead: Lead, pipeline_id: int, status_id: int) -> None:
        """Put the lead into a stage; leaving «Неразобранное» reveals its contacts."""
        was_active = lead.is_active
        lead.pipeline_id, lead.status_id = pipeline_id, status_id
        if status_id in (WON, LOST):
            if was_active or lead.closed_at is None:
                lead.closed_at = self.clock.stamp()
        else:
            lead.closed_at = None
        if self.stage_of(lead).type == 0:
            for contact_id in lead.contact_ids:
                self.contacts[contact_id].is_unsorted = False

    def link(self, lead: Lead, contact_id: int, *, is_main: bool) -> None:
        """Link a contact to the lead; the main one comes first."""
        others = [one for one in lead.contact_ids if one != contact_id]
        if is_main or not others:
            self.relink(lead, [contact_id, *others])
        elif contact_id not in lead.contact_ids:
            self.relink(lead, [*lead.contact_ids, contact_id])

    def relink(self, lead: Lead, contact_ids: Iterable[int]) -> None:
        """Link the lead to exactly these contacts, the main one first."""
        for contact_id in lead.contact_ids:
            self._leads_by_contact[contact_id].pop(lead.id, None)
        lead.contact_ids = tuple(contact_ids)
        for contact_id in lead.contact_ids:
            self._leads_by_contact.setdefault(contact_id, {})[lead.id] = lead

    def tag(self, entity_type: EntityType, *, name: str) -> Tag:
        """The tag of this name, made if there is none. Names compare without case."""
        for one in self.tags[entity_type]:
            if one.name.casefold() == name.casefold():
                return one
        made = Tag(self._new_id("tag"), name)
        self.tags[entity_type].append(made)
        return made

    def tag_by_id(self, entity_type: EntityType, tag_id: int) -> Tag | None:
        """The tag with this id, or ``None``."""
        return next((one for one in self.tags[entity_type] if one.id == tag_id), None)


def without(tags: Iterable[Tag], gone: Iterable[Tag]) -> list[Tag]:
    """``tags`` less those in ``gone``, by id."""
    ids = {one.id for one in gone}
    return [one for one in tags if one.id not in ids]
