"""Locks and events as one person may see them: words, masks, links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse

from amocrm import conf
from amocrm.locks.history import LockEvent
from leads.models import Submission
from locks_admin.labels import EVENT_NAMES, FORM_NAMES, STATE_HELP, STATE_NAMES
from locks_admin.masking import label, pseudonym, shown_text
from locks_admin.monitor.lock_status import DELIVERING, LockStatus
from locks_admin.page.selection import token

_BATCH = 900


@dataclass(frozen=True)
class ShownRow:
    """A lock as the table shows it to one person."""

    row: LockStatus
    person: str
    pseudonym: str
    form: str = ""

    @property
    def key(self) -> str:
        """The row's name on the page: another holder makes another row."""
        return pseudonym(f"{self.row.name} {self.row.lock.holder_id}")

    @property
    def token(self) -> str:
        """What a form posts to say: this lock, with this holder."""
        return token(self.row)

    @property
    def state_name(self) -> Any:
        """The state for people."""
        return STATE_NAMES[self.row.state]

    @property
    def state_help(self) -> Any:
        """What the state means."""
        return STATE_HELP[self.row.state]

    @property
    def form_name(self) -> Any:
        """Which form the submission came from."""
        return FORM_NAMES.get(self.form, "")

    @property
    def delivering(self) -> bool:
        """Whether clearing it stops a running delivery."""
        return self.row.state in DELIVERING

    @property
    def percent_left(self) -> int:
        """How much of its time to live is left."""
        left = self.row.lock.ttl_ms
        whole = conf.current().lock_ttl * 1000
        return 100 if left is None else min(100, round(100 * left / whole))

    @property
    def submission_url(self) -> str:
        """The submission's page in the admin; empty for a lock of no submission that we know."""
        holder = self.row.lock.holder
        if holder is None or not self.form:
            return ""
        return reverse("admin:leads_submission_change", args=(holder.reference,))


@dataclass(frozen=True)
class ShownEvent:
    """An event as the history shows it to one person."""

    event: LockEvent
    person: str
    pseudonym: str
    why: str

    @property
    def kind_name(self) -> Any:
        """What happened, for people."""
        return EVENT_NAMES[self.event.kind]


def shown(rows: Sequence[LockStatus], *, full: bool) -> list[ShownRow]:
    """The rows as somebody sees them who may, or may not, see people in ``full``."""
    forms = _forms(rows)
    return [
        ShownRow(
            row=row,
            person=label(row.name, full=full),
            pseudonym=pseudonym(row.name),
            form=forms.get(row.lock.holder.reference, "") if row.lock.holder else "",
        )
        for row in rows
    ]


def event_rows(events: Sequence[LockEvent], *, full: bool) -> list[ShownEvent]:
    """The events as somebody sees them who may, or may not, see people in ``full``."""
    return [
        ShownEvent(
            event,
            person=label(event.name, full=full),
            pseudonym=pseudonym(event.name),
            why=shown_text(event.why, full=full),
        )
        for event in events
    ]


def _forms(rows: Sequence[LockStatus]) -> dict[str, str]:
    ids = [found for row in rows if row.lock.holder and (found := _uuid(row.lock.holder.reference))]
    forms: dict[str, str] = {}
    for at in range(0, len(ids), _BATCH):
        known = Submission.objects.filter(pk__in=ids[at : at + _BATCH]).values_list("pk", "form")
        forms |= {str(pk): form for pk, form in known.order_by()}
    return forms


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
