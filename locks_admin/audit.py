"""Who cleared what and why, in the admin's own log."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import User

from amocrm.locks.clearing import Cleared, Result
from amocrm.text.printable import one_line
from locks_admin.masking import may_see_people, shown_name
from locks_admin.models import Lock

LONGEST_REASON = 200  # characters


def reason(text: str) -> str:
    """Why somebody clears, as it can be kept: on one line, not too long."""
    return one_line(text)[:LONGEST_REASON]


def log_cleared(user: User, outcome: Iterable[Cleared], *, why: str) -> None:
    """One ``LogEntry`` for every lock that ``user`` cleared."""
    full = may_see_people(user)
    gone = [
        Lock(name=one_line(shown_name(one.row.name, full=full)))
        for one in outcome
        if one.result is Result.CLEARED
    ]
    if gone:
        # What begins with a bracket the admin takes for its own JSON.
        message = f" {why}" if why.startswith("[") else why
        LogEntry.objects.log_actions(user.pk, gone, DELETION, change_message=message)
