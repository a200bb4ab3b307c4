"""What the search for duplicates leaves in the database, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.core.management import CommandError
from django.utils import translation

from amocrm import conf, counters, ledger
from amocrm.api import whole_list
from amocrm.diagnostics.duplicate_search import find_duplicates, last_search
from amocrm.identity import identities
from amocrm.ledger import PersonState, duplicates
from amocrm.models import DuplicateLead, DuplicateSearch, Person
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.diagnostics.test_duplicate_scan import plant, run

pytestmark = pytest.mark.django_db(transaction=True)


def known(email: str = "", phone: str = "") -> PersonState:
    """Somebody in the ledger."""
    named = identities(emails=[email], phones=[phone], region="KZ")
    return ledger.resolve(conf.current().account, named)


def rows() -> list[tuple[Any, ...]]:
    values = DuplicateLead.objects.order_by("lead_id").values_list("person_id", "lead_id", "state")
    assert set(DuplicateLead.objects.values_list("origin", flat=True)) <= {"found"}
    return list(values)


def test_other_leads_of_somebody_known_are_listed(sandbox: RunningSandbox) -> None:
    first, second, third = plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0], [0], [0]])
    person = ledger.record(known("a@b.kz"), second)
    find_duplicates()
    assert rows() == [(person.id, first, "active"), (person.id, third, "active")]
    find_duplicates()
    assert len(rows()) == 2
    assert counters.totals()["duplicate_found"] == 2


@pytest.mark.parametrize("recorded", [None, 987654])
def test_without_a_recorded_lead_among_them_the_newest_is_none(
    sandbox: RunningSandbox, recorded: int | None
) -> None:
    older, newer = plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0], [0]])
    person = known("a@b.kz")
    if recorded:
        ledger.record(person, recorded)
    newest = find_duplicates().people[0].lead_ids[0]
    (row,) = rows()
    assert row == (person.id, ({older, newer} - {newest}).pop(), "active")


def test_two_who_are_not_known_to_be_one_do_not_list_each_others_leads(
    sandbox: RunningSandbox,
) -> None:
    one, other = plant(
        sandbox, {"emails": ["a@b.kz"], "phones": ["+77770000001"]}, leads=[[0], [0]]
    )
    first, second = known("a@b.kz"), known(phone="+77770000001")
    ledger.record(second, other)
    find_duplicates()
    assert rows() == [(second.id, one, "active")]
    assert first.id < second.id


def test_two_whom_the_ledger_knows_with_a_lead_each_are_asked_about_and_not_listed(
    sandbox: RunningSandbox,
) -> None:
    one, other = plant(
        sandbox, {"emails": ["a@b.kz"], "phones": ["+77770000001"]}, leads=[[0], [0]]
    )
    first = ledger.record(known("a@b.kz"), one)
    second = ledger.record(known(phone="+77770000001"), other)
    for _ in range(2):
        find_duplicates()
    assert rows() == []
    assert ledger.partners(first.id) == [second.id]
    assert counters.totals()["merge_proposed"] == 1


def test_strangers_are_counted_and_not_listed(sandbox: RunningSandbox) -> None:
    plant(sandbox, {"emails": ["a@b.kz"]}, {"emails": ["c@d.kz"]}, leads=[[0], [0], [1], [1]])
    known("a@b.kz")
    with translation.override("en"), time_machine.travel("2026-11-24T22:03Z"):
        assert last_search().startswith("Nobody has been looked for yet")
        find_duplicates()
        told = last_search()
    assert len(rows()) == 1
    assert Person.objects.count() == 1
    assert "Last search: 25.11.2026 03:03." in told
    assert "more than one active lead: 2 (of 4 active leads)" in told
    assert "does not know them: 1 of these people" in told


def test_a_search_that_fails_is_said_beside_the_last_that_did_not(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0], [0]])
    known("a@b.kz")
    run()
    monkeypatch.setattr(whole_list, "MAX_ATTEMPTS", 1)
    sandbox.control.fault("answer", path="/api/v4/leads", status=502, body="<html>", times=-1)
    with pytest.raises(CommandError):
        run()
    sandbox.control.clear_faults()
    with translation.override("en"):
        assert "active lead: 1 (of 2" in last_search()
        assert " failed: " in last_search()
        assert "502" in last_search()
        run()
        assert "failed" not in last_search()
    assert DuplicateSearch.objects.get().account == conf.current().account


def test_a_lead_that_comes_to_life_again_is_not_dealt_with_any_more(
    sandbox: RunningSandbox,
) -> None:
    kept, other = plant(sandbox, {"emails": ["a@b.kz"]}, leads=[[0], [0]])
    ledger.record(known("a@b.kz"), kept)
    find_duplicates()
    row = DuplicateLead.objects.get()
    assert duplicates.deal_with(row.pk, by="olga")
    assert not duplicates.deal_with(row.pk, by="somebody later")
    find_duplicates()  # ACTIVE as before: the operator knew that
    row.refresh_from_db()
    assert (row.state, row.dealt_with_by) == ("active", "olga")
    sandbox.control.act("close_lead", lead_id=other)
    find_duplicates()
    row.refresh_from_db()
    assert (row.state, row.dealt_with_by) == ("closed", "olga")
    sandbox.control.act("move_lead", lead_id=other, status_id=32392159)
    find_duplicates()
    row.refresh_from_db()
    assert (row.state, row.dealt_with_by, row.dealt_with_at) == ("active", "", None)


def test_a_lead_that_is_recorded_while_the_search_walks_is_not_listed(
    sandbox: RunningSandbox,
) -> None:
    person = ledger.record(known("a@b.kz"), 2)
    duplicates.enter_found(person.id, [3, 2, 1])
    assert {row[1] for row in rows()} == {1, 3}
    merged = known("c@d.kz")
    Person.objects.filter(id=merged.id).update(merged_into=person.id)
    duplicates.enter_found(merged.id, [5, 6])
    assert {row[1] for row in rows()} == {1, 3}
