"""What the page's templates need beyond Django's own."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format

from locks_admin.formats import in_words

register = template.Library()


@register.filter
def duration(ms: float | None) -> str:
    """Milliseconds in words; a dash for none."""
    return "—" if ms is None else in_words(ms)


@register.filter
def moment(at: datetime) -> str:
    """A time of today; of another day with its date."""
    local, today = timezone.localtime(at), timezone.localdate()
    return date_format(local, "H:i:s" if local.date() == today else "d.m H:i:s")
