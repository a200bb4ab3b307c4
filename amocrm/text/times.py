"""Moments as operators read them."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format


def shown(moment: datetime) -> str:
    """Day and minute, in the time zone of the service."""
    return date_format(timezone.localtime(moment), "d.m.Y H:i")
