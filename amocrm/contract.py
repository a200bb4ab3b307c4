"""What a caller hands to :func:`amocrm.upsert.protocol.upsert_lead` and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from amocrm.identity import IdentityKey

Action = Literal["created", "updated"]


@dataclass(frozen=True)
class LeadRequest:
    """One submission, in amoCRM's terms.

    ``reference`` is the caller's own id of it (a full UUID): opaque here, written into the
    note, the lock's value and the claim. ``named`` is what the submission names the person by,
    read by :func:`amocrm.identity.identities`. ``stage`` is the id of the pipeline stage this kind
    of submission belongs to, ``None`` for the pipeline's first ordinary one. ``responsible_user``
    is the id of the user who gets a new lead, ``None``: amoCRM decides. ``utm`` has
    lower-case keys as the landing sends them (``utm_source``, ``gclid``…). ``note_lines``
    is the body of the note, without time and reference, which are added here. ``lost_writes``
    is how often a write for it has met no answer, or 5xx, though reading went well just before.
    """

    reference: str
    name: str
    named: frozenset[IdentityKey]
    lead_name: str
    stage: int | None
    tags: tuple[str, ...]
    submitted_at: datetime
    note_title: str
    note_lines: tuple[str, ...]
    utm: Mapping[str, str] = field(default_factory=dict)
    responsible_user: int | None = None
    lost_writes: int = 0


@dataclass(frozen=True)
class LeadResult:
    """The lead that now holds the submission. ``action`` is ``created`` once per lead."""

    lead_id: int
    action: Action


class Progress(Protocol):
    """What the caller remembers of one delivery between attempts, and its lease on it.

    Every method commits before it returns and raises :class:`amocrm.errors.LeaseLost`
    when the delivery is no longer the caller's.
    """

    lead_id: int | None
    action: Action | None
    note_sent_at: datetime | None

    def heartbeat(self) -> None:
        """Extend the caller's lease; called at every checkpoint."""

    def lead_known(self, lead_id: int, action: Action) -> None:
        """Remember the lead before its note is written."""

    def note_sending(self, at: datetime | None) -> None:
        """Remember that the note is about to be sent, or with ``None`` that it surely was not."""
