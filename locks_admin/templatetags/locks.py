"""What the page's templates need beyond Django's own."""

from __future__ import annotations

from django import template

from locks_admin.durations import in_words

register = template.Library()


@register.filter
def duration(ms: float | None) -> str:
    """Milliseconds in words; a dash for none."""
    return "—" if ms is None else in_words(ms)
