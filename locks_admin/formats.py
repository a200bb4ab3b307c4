"""Durations for people, as short as they can be read."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext as _

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def duration(ms: float) -> str:
    """``340 ms``, ``12.3 s``, ``4 min 10 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if ms < _SECOND:
        return _("%(ms)d ms") % {"ms": ms}
    if ms < _MINUTE:
        return _("%(s)s s") % {"s": number_format(ms // 100 / 10, decimal_pos=1)}
    if ms < _HOUR:
        return _("%(min)d min %(s)d s") % {"min": ms // _MINUTE, "s": ms % _MINUTE // _SECOND}
    if ms < _DAY:
        return _("%(h)d h %(min)d min") % {"h": ms // _HOUR, "min": ms % _HOUR // _MINUTE}
    return _("%(d)d d %(h)d h") % {"d": ms // _DAY, "h": ms % _DAY // _HOUR}
