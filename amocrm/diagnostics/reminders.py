"""Saying in the log what lasts: again and again, but not from every process at once."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from amocrm.models import Reminder


def is_time(name: str, every: timedelta) -> bool:
    """Whether ``name`` was not said within ``every``: whoever gets a yes says it now.

    Two processes that ask together get one yes, by one conditional ``UPDATE``.
    """
    now = timezone.now()
    Reminder.objects.get_or_create(name=name)
    # What lies in the future was written by a clock that has been set back since.
    is_old = Q(said_at=None) | Q(said_at__lte=now - every) | Q(said_at__gt=now)
    rows = Reminder.objects.filter(is_old, name=name)
    return rows.exists() and rows.update(said_at=now) == 1
