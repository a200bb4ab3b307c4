"""What is remembered of a delivery between its attempts."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from amocrm.contract import Action
from leads.delivery.lease import Lease
from leads.models import Submission


class SubmissionProgress:
    """The ``Progress`` of :mod:`amocrm.contract`, kept on the submission's row under a lease.

    Every method is one ``UPDATE`` that commits at once, and raises ``LeaseLost`` when the
    lease is lost.
    """

    lead_id: int | None
    action: Action | None
    note_sent_at: datetime | None

    def __init__(self, submission: Submission, lease: Lease) -> None:
        self._lease = lease
        self.lead_id = submission.lead_id
        self.action = cast(Action, submission.action) if submission.action else None
        self.note_sent_at = submission.note_sent_at

    def heartbeat(self) -> None:
        """Extend the lease. Whoever gets this far waits for no lock any more."""
        self._lease.extend(waiting_for="", waiting_since=None)

    def lead_known(self, lead_id: int, action: Action) -> None:
        """Remember the lead before its note is written."""
        self._lease.extend(lead_id=lead_id, action=action)
        self.lead_id, self.action = lead_id, action

    def note_sending(self, at: datetime | None) -> None:
        """Remember that the note is about to be sent, or with ``None`` that it surely was not."""
        self._lease.extend(note_sent_at=at)
        self.note_sent_at = at
