"""What the page's templates need beyond Django's own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format

from amocrm.locks.history import Kind
from locks_admin import formats, masking
from locks_admin.labels import EVENT_NAMES, STATE_HELP
from locks_admin.masking import Masker
from locks_admin.monitor.lock_status import State

register = template.Library()
register.filter("pseudonym", masking.pseudonym)


@register.filter
def person(name: str, masker: Masker) -> str:
    """The person in a lock's name, as far as one may see people."""
    return masker.person(name)


@register.filter
def masked(text: str, masker: Masker) -> str:
    """What an operator typed, as far as one may see people."""
    return masker.text(text)


@register.filter
def state_help(state: State) -> Any:
    """What a state means."""
    return STATE_HELP[state]


@register.filter
def event_name(kind: Kind) -> Any:
    """What happened, for people."""
    return EVENT_NAMES[kind]


@register.filter
def duration(ms: float | None) -> str:
    """Milliseconds for people; a dash for none."""
    return "—" if ms is None else formats.duration(ms)


@register.filter
def moment(at: datetime) -> str:
    """A time of today; of another day with its date."""
    local, today = timezone.localtime(at), timezone.localdate()
    return date_format(local, "H:i:s" if local.date() == today else "d.m H:i:s")
