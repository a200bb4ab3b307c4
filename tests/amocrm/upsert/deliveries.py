"""What the tests of the protocol hand to `upsert_lead`."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from amocrm.contract import Action, LeadRequest
from amocrm.identity import identities

EMAIL = "test@onai.academy"
PHONE = "+77771112233"


def request_of(email: str = EMAIL, phone: str = PHONE, **changes: Any) -> LeadRequest:
    """A proftest of somebody; `changes` replace what a test is about."""
    values: dict[str, Any] = {
        "reference": str(uuid.uuid4()),
        "name": "Test User",
        "named": identities(emails=[email], phones=[phone], region="KZ"),
        "lead_name": "Профтест: Test User",
        "stage": 32392165,
        "tags": ("профтест",),
        "submitted_at": datetime(2026, 11, 23, 3, 0, tzinfo=UTC),
        "note_title": "Профтест",
        "note_lines": ("1. Кем вы хотите быть? — Дизайнером",),
        "utm": {"utm_source": "instagram"},
    }
    return LeadRequest(**{**values, **changes})


@dataclass
class Remembered:
    """A caller's progress that only remembers."""

    lead_id: int | None = None
    action: Action | None = None
    note_sent_at: datetime | None = None
    heartbeats: int = field(default=0)

    def heartbeat(self) -> None:
        self.heartbeats += 1

    def lead_known(self, lead_id: int, action: Action) -> None:
        self.lead_id, self.action = lead_id, action

    def note_sending(self, at: datetime | None) -> None:
        self.note_sent_at = at
