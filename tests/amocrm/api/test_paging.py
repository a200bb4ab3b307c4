"""Lists go on as long as ``_links.next`` says so, however short their pages are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import responses
from django.core.cache import cache
from responses.matchers import query_param_matcher

from amocrm import conf
from amocrm.account.schema import require_schema
from amocrm.api import paging
from amocrm.api.paging import PAGE_SIZE, Page
from amocrm.errors import RetryLater
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.clients import API, client_of

pytestmark = pytest.mark.django_db

NEXT = {"next": {"href": f"{API}/contacts?page=2"}}


@pytest.fixture(autouse=True)
def _nothing_is_cached() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize(
    ("links", "rows", "has_next"),
    [
        (NEXT, 1, True),
        ({"self": {"href": "x"}}, 1, False),
        ({"next": None}, 1, False),
        ([], 1, False),
        (None, 1, False),
        # Better one request too many than a page too few.
        (None, PAGE_SIZE, True),
    ],
    ids=repr,
)
def test_a_page_tells_whether_it_is_the_last(links: Any, rows: int, has_next: bool) -> None:
    body = {"_links": links, "_embedded": {"custom_fields": [{"id": 1}] * rows}}
    with responses.RequestsMock() as amocrm, client_of() as client:
        amocrm.get(f"{API}/leads/custom_fields", json=body)
        assert client.lead_fields(1).has_next is has_next


def test_pages_are_read_to_the_last_but_not_beyond_the_cap() -> None:
    def fetch(number: int) -> Page[int]:
        return Page([number], has_next=number < 3)

    assert list(paging.each(fetch, most_pages=10)) == [1, 2, 3]
    assert list(paging.each(fetch, most_pages=2)) == [1, 2]


# Less at once -------------------------------------------------------------------------------------


class Account:
    """A list of so many rows, of which it gives at most ``stands`` at once."""

    def __init__(self, rows: int, stands: int, status: int = 504) -> None:
        self.rows, self.stands, self.status = list(range(rows)), stands, status
        self.asked: list[tuple[int, int]] = []

    def fetch(self, size: int, number: int) -> Page[int]:
        self.asked.append((size, number))
        if size > self.stands:
            raise RetryLater("too much").with_response(status=self.status, request_id="")
        rows = self.rows[(number - 1) * size : number * size]
        return Page(rows, has_next=number * size < len(self.rows))

    def read(self) -> list[int]:
        return list(paging.each(partial(paging.whole_page, self.fetch), most_pages=100))


@pytest.mark.parametrize("stands", [250, 125, 100, 25])
@pytest.mark.parametrize("rows", [0, 1, 25, 124, 125, 126, 250, 251, 800])
def test_every_row_comes_once_however_little_an_account_stands(rows: int, stands: int) -> None:
    account = Account(rows, stands)
    assert account.read() == account.rows


def test_what_was_too_much_is_not_asked_for_again_at_once() -> None:
    account = Account(1000, 125)
    account.read()
    assert [size for size, _ in account.asked].count(250) == 1


def test_after_some_pages_more_is_asked_for_again() -> None:
    account = Account(PAGE_SIZE * (paging.GROW_AFTER + 3), 125)
    account.read()
    assert [size for size, _ in account.asked].count(250) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_account_that_stands_nothing_is_asked_three_times_for_less(status: int) -> None:
    account = Account(1000, 0, status)
    with pytest.raises(RetryLater):
        account.read()
    assert [size for size, _ in account.asked] == [250, 125, 25]


def test_other_trouble_is_no_reason_to_ask_for_less() -> None:
    account = Account(1000, 0, 400)
    with pytest.raises(RetryLater):
        account.read()
    assert [size for size, _ in account.asked] == [250]


def test_a_search_on_a_heavy_account_finds_everybody(sandbox: RunningSandbox) -> None:
    emails = {f"p{n}@x.kz" for n in range(300)}
    sandbox.control.seed(contacts=[{"name": "x", "emails": [email]} for email in sorted(emails)])
    sandbox.control.fault(
        "answer", path="/api/v4/contacts", query_has="limit=250", times=-1, status=504
    )
    with client_of(conf.current().base_url) as client:
        found = list(paging.each(client.newest_contacts, most_pages=9))
    assert {email for contact in found for email in contact.emails} == emails
    assert len(found) == len(emails)


def test_a_field_on_the_second_short_page_is_not_missed(sandbox: RunningSandbox) -> None:
    """A list of fields has fifty a page, whatever is asked for."""
    first = [{"id": n, "code": f"FIELD_{n}"} for n in range(50)]
    pages = f"{conf.current().base_url}/api/v4/leads/custom_fields"
    with responses.RequestsMock() as amocrm, client_of(conf.current().base_url) as client:
        amocrm.add_passthru(f"{conf.current().base_url}/api/v4/account")
        amocrm.add_passthru(f"{conf.current().base_url}/api/v4/leads/pipelines")
        for number, rows, links in (
            (1, first, {"next": {"href": f"{pages}?page=2"}}),
            (2, [{"id": 99, "code": "UTM_SOURCE"}], {}),
        ):
            amocrm.get(
                pages,
                match=[query_param_matcher({"page": number}, strict_match=False)],
                json={"_links": links, "_embedded": {"custom_fields": rows}},
            )
        schema = require_schema(client, conf.current())
    assert schema.lead_fields["UTM_SOURCE"] == 99
