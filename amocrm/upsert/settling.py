"""When it is worth looking again for a write whose answer was lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

# amoCRM's clock is not ours.
CLOCKS_DIFFER_BY = timedelta(minutes=10)
# What arrives at all arrives within seconds, nearly always; a look costs several requests.
FIRST_LOOK = timedelta(seconds=5)
# A look that begins a hair too soon would have to be made once more.
JUST_AFTER = timedelta(seconds=1)


def next_look(sent_at: datetime, settle: timedelta) -> timedelta:
    """How long to wait before looking again for a write of ``sent_at``.

    Each look comes at about three times the age of the one before (5, 15, 45, 135 s), the last
    one right after ``settle``, when nothing can arrive any more. Never less than a second.
    """
    age = timezone.now() - sent_at
    settled_in = settle - age + JUST_AFTER
    return max(min(max(2 * age, FIRST_LOOK), settled_in), JUST_AFTER)
