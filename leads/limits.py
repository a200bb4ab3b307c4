"""How many forms are taken within a time, counted by the rows that accepted ones became.

So a limit holds for all processes together, only what was accepted uses it up, and nothing is
written for it. Forms that are under way at the same moment do not see each other: a limit is
exceeded by as many of them at most.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone
from rest_framework.throttling import SimpleRateThrottle

from amocrm import conf as amocrm_conf
from amocrm import ledger
from amocrm.identity import IdentityKey, without_ignored
from leads import conf
from leads.models import Naming


class CountedRows(SimpleRateThrottle):
    """A rate as REST framework reads it (``60/min``), kept by rows that have a ``created_at``."""

    num_requests: int
    duration: int  # of the rate's unit, in seconds

    def lately(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of ``rows`` that count: of the last unit of time.

        Not what lies further ahead than that: a clock that was set back locks nobody out.
        """
        now, unit = timezone.now(), timedelta(seconds=self.duration)
        return rows.filter(created_at__range=(now - unit, now + unit))

    def seconds_left(self, rows: QuerySet[Any]) -> int:
        """Whole seconds until there may be one more beside ``rows``; 0: now. One query, which
        reads as many entries of an index as the rate allows."""
        times = self.lately(rows).order_by("-created_at").values_list("created_at", flat=True)
        full_since: datetime | None = times[self.num_requests - 1 : self.num_requests].first()
        if full_since is None:
            return 0
        left = full_since - timezone.now() + timedelta(seconds=self.duration)
        return min(max(math.ceil(left.total_seconds()), 0), self.duration)


class PersonLimit(CountedRows):
    """``PERSON_THROTTLE``: how many forms name one e-mail or phone, whoever sends them.

    What identifies nobody (a switchboard, an agency's address) has no limit.
    """

    def get_rate(self) -> str:
        """As the settings say."""
        return conf.current().person_throttle

    def seconds_until(self, named: Collection[IdentityKey]) -> int:
        """Whole seconds until a form that names these may be taken; 0: now."""
        values = {key.value for key in named}
        counted = self.lately(Naming.objects.filter(value__in=values)).order_by()
        counts = counted.values("value").annotate(times=Count("pk"))
        full = set(counts.filter(times__gte=self.num_requests).values_list("value", flat=True))
        people = _identifying({key for key in named if key.value in full})
        waits = (self.seconds_left(Naming.objects.filter(value=key.value)) for key in people)
        return max(waits, default=0)


def _identifying(named: Collection[IdentityKey]) -> frozenset[IdentityKey]:
    settings = amocrm_conf.current()
    left = without_ignored(frozenset(named), settings.ignored_identities, settings.phone_region)
    return ledger.identifying(settings.account, left)
