"""What is looked up for every submission is read from an index, on SQLite, whose planner says so
for a small table, too."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from amocrm import ledger
from amocrm.identity import IdentityKey


@pytest.mark.django_db
def test_whose_an_identity_is_is_read_from_the_index() -> None:
    keys = [IdentityKey("email", "a@x.kz"), IdentityKey("phone", "+77771112233")]
    with CaptureQueriesContext(connection) as asked:
        ledger.owners("school.amocrm.ru", [*keys, ledger.contact_key(7)])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {asked[0]['sql']}")
        plan = [str(row[-1]) for row in cursor.fetchall() if "amocrm_identity" in str(row[-1])]
    assert plan
    assert all("(account=? AND kind=? AND value=?)" in step for step in plan), plan
