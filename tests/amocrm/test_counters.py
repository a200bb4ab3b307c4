"""Counting: never at the cost of what is counted."""

from __future__ import annotations

from unittest import mock

import pytest
from django.db import connection, transaction

from amocrm import counters
from amocrm.counters import Event
from amocrm.models import EventCount

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_each_day_has_one_row_an_event() -> None:
    counters.count(Event.MERGED)
    counters.count(Event.MERGED, 3)
    assert EventCount.objects.get().count == 4
    assert counters.totals()[Event.MERGED] == 4
    assert counters.totals()[Event.ADOPTED] == 0


def test_a_count_that_fails_leaves_the_callers_transaction_whole() -> None:
    def fail(*_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    with transaction.atomic():
        EventCount.objects.create(day="2026-01-01", event="something", count=1)
        with mock.patch.object(counters, "_add", fail):
            counters.count(Event.MERGED)
        EventCount.objects.create(day="2026-01-02", event="something", count=1)
    assert EventCount.objects.count() == 2
