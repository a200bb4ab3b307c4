"""By amoCRM's own clock: when was it asked?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import responses
import time_machine

from amocrm.api import crm_clock
from amocrm.api.paging import part_size
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.clients import client_of

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "asked_at"),
    [
        ("Wed, 25 Nov 2026 12:03:10 GMT", NOW + timedelta(minutes=3, seconds=8)),
        ("Wed, 25 Nov 2026 12:03:10 -0000", NOW + timedelta(minutes=3, seconds=8)),
        (None, NOW - timedelta(minutes=10)),
        ("", NOW - timedelta(minutes=10)),
        ("yesterday", NOW - timedelta(minutes=10)),
    ],
)
def test_a_call_began_before_its_answer_or_a_while_ago(
    date: str | None, asked_at: datetime
) -> None:
    with time_machine.travel(NOW, tick=False):
        assert crm_clock.asked_at(date, 2.0) == asked_at


@pytest.mark.django_db
def test_a_page_says_when_its_first_part_was_asked_for(sandbox: RunningSandbox) -> None:
    rows = [{"emails": [f"p{number}@b.kz"]} for number in range(200)]
    sandbox.control.seed(contacts=rows)
    sandbox.control.advance(86_400)
    part_size.shrink(250)
    sandbox.control.fault("delay_answer", path=".*/contacts", delay=0.7, times=2)
    before = sandbox.control.state()["now"]
    with client_of(sandbox.url) as client:
        page = client.changed_contacts(1)
    assert len(page.rows) == 200
    assert before - 60 < page.asked_at.timestamp() <= sandbox.control.state()["now"] - 1.4


@pytest.mark.django_db
def test_without_a_date_it_was_a_while_ago(amocrm: responses.RequestsMock) -> None:
    amocrm.get("https://school.amocrm.ru/api/v4/contacts", json={})
    with time_machine.travel(NOW, tick=False), client_of() as client:
        assert client.changed_contacts(1).asked_at == NOW - timedelta(minutes=10)
