"""Lists go on as long as ``_links.next`` says so, however short their pages are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import responses
from django.core.cache import cache
from responses.matchers import query_param_matcher

from amocrm import conf
from amocrm.account.schema import require_schema
from amocrm.api import paging
from amocrm.api.paging import PAGE_SIZE, Page
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
