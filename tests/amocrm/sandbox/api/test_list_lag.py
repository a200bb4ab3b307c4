"""Lists that come late: the change feed of an account that lies."""

from __future__ import annotations

import pytest

from tests.amocrm.sandbox.conftest import Crm

NEWEST_FIRST = {"order[updated_at]": "desc", "limit": 250}
NOTE = {"note_type": "common", "params": {"text": "N"}}


@pytest.fixture
def late(crm: Crm) -> Crm:
    """Lists are ten seconds late, by a clock that only the test moves."""
    crm.control.config(list_lag=10, clock_frozen=True)
    return crm


def listed(crm: Crm, what: str, **params: object) -> list[int]:
    answer = crm.get(what, **{**NEWEST_FIRST, **params})
    if answer.status_code == 204:
        return []
    return [one["id"] for one in answer.json()["_embedded"][what.rpartition("/")[2]]]


def test_a_new_contact_is_found_and_read_long_before_it_is_listed(late: Crm) -> None:
    contact_id = late.add_contact(email="late@onai.academy")
    late.control.advance(9.5)
    assert listed(late, "contacts") == []
    assert late.get(f"contacts/{contact_id}").status_code == 200
    assert late.found("late@onai.academy") == [contact_id]
    late.control.advance(0.5)
    assert listed(late, "contacts") == [contact_id]


def test_the_lag_of_search_is_its_own(late: Crm) -> None:
    late.control.config(index_lag=20)
    contact_id = late.add_contact(email="late@onai.academy")
    late.control.advance(10)
    assert listed(late, "contacts") == [contact_id]
    assert late.found("late@onai.academy") == []


def test_what_is_changed_is_left_out_again(late: Crm) -> None:
    (contact_id, _), (lead_id, _) = late.seed(
        contacts=[{"name": "a"}, {"name": "b"}], leads=[{"name": "a"}, {"name": "b"}]
    )
    assert contact_id in listed(late, "contacts")
    assert lead_id in listed(late, "leads")
    late.patch(f"contacts/{contact_id}", {"name": "c"})
    late.patch(f"leads/{lead_id}", {"price": 5})
    for what, changed in (("contacts", contact_id), ("leads", lead_id)):
        assert changed not in listed(late, what)
        assert len(listed(late, what)) == 1
        assert late.get(f"{what}/{changed}").status_code == 200
    late.control.advance(10)
    assert listed(late, "contacts")[0] == contact_id
    assert listed(late, "leads")[0] == lead_id


def test_new_leads_and_notes_are_late_but_not_at_their_own_address(late: Crm) -> None:
    (row,) = late.post("leads/complex", [{"_embedded": {"contacts": [{"name": "a"}]}}]).json()
    lead_id = row["id"]
    late.control.advance(10)
    assert listed(late, "leads") == [lead_id]
    late.post("leads/notes", [{**NOTE, "entity_id": lead_id}])
    assert listed(late, "leads") == [], "a note moves the lead's updated_at"
    assert listed(late, "leads/notes") == []
    assert len(listed(late, f"leads/{lead_id}/notes")) == 1
    late.control.advance(10)
    assert listed(late, "leads") == [lead_id]
    assert len(listed(late, "leads/notes")) == 1


def test_a_filtered_list_is_late_too(late: Crm) -> None:
    late.control.config(is_api_filter_enabled=True)
    contact_id = late.add_contact()
    assert listed(late, "contacts", **{"filter[id][]": contact_id}) == []
    late.control.advance(10)
    assert listed(late, "contacts", **{"filter[id][]": contact_id}) == [contact_id]


def test_what_is_planted_has_long_been_listed_unless_told_otherwise(late: Crm) -> None:
    contacts, leads = late.seed(
        contacts=[{"name": "a"}, {"name": "b", "listed": False}],
        leads=[{"contact": 0}, {"contact": 1, "listed": False}],
    )
    assert listed(late, "contacts") == contacts[:1]
    assert listed(late, "leads") == leads[:1]
    late.control.advance(10)
    assert sorted(listed(late, "contacts")) == contacts
    assert sorted(listed(late, "leads")) == leads


def test_what_is_listed_stays_so_when_lists_begin_to_lag(crm: Crm) -> None:
    first = crm.add_contact()
    crm.control.config(list_lag=10, clock_frozen=True)
    second = crm.add_contact()
    assert listed(crm, "contacts") == [first]
    crm.control.config(list_lag=0)
    assert sorted(listed(crm, "contacts")) == [first, second]
