"""Who cleared what and why, in the admin's own log."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import User

from amocrm.locks.clearing import Cleared, ClearResult
from amocrm.text.printable import one_line
from locks_admin.masking import Masker
from locks_admin.models import Lock

LONGEST_REASON = 200  # characters


def reason(text: str) -> str:
    """Why somebody clears, as it can be kept: on one line, cut to :data:`LONGEST_REASON`."""
    return one_line(text)[:LONGEST_REASON]


def log_cleared(user: User, outcome: Iterable[Cleared], masker: Masker, *, why: str) -> None:
    """One ``LogEntry`` for every lock that ``user`` cleared, named as they may see it."""
    gone = [
        Lock(name=one_line(masker.name(one.lock.name)))
        for one in outcome
        if one.result is ClearResult.CLEARED
    ]
    if gone:
        # What begins with a bracket the admin takes for its own JSON.
        message = f" {why}" if why.startswith("[") else why
        LogEntry.objects.log_actions(user.pk, gone, DELETION, change_message=message)
