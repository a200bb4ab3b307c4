"""Seven requests in a second, then 429, then 403 for everything."""

from __future__ import annotations

import time

import pytest

from amocrm.sandbox.settings import Settings
from tests.amocrm.sandbox.conftest import Crm


def statuses(crm: Crm, count: int, path: str = "account") -> list[int]:
    return [crm.get(path).status_code for _ in range(count)]


@pytest.fixture
def strict(crm: Crm) -> Crm:
    """Three requests a second, and a second that lasts until the test moves on."""
    crm.control.config(rps=3, clock_frozen=True)
    return crm


def test_the_default_is_seven_a_second(crm: Crm) -> None:
    crm.control.config(rps=Settings().rps, clock_frozen=True)
    assert statuses(crm, 9) == [200] * 7 + [429] * 2


def test_a_429_is_a_page_and_writes_nothing(strict: Crm) -> None:
    statuses(strict, 3)
    answer = strict.post("leads", [{"name": "x"}])
    assert answer.status_code == 429
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "429 Too Many Requests" in answer.text
    assert answer.headers["X-Request-Id"]
    assert "Retry-After" not in answer.headers
    assert strict.control.state()["leads"] == []


def test_a_429_can_be_kommos_json_with_the_pause_in_its_body(strict: Crm) -> None:
    strict.control.config(throttle_format="json", retry_after=300)
    statuses(strict, 3)
    body = strict.get("account").json()
    assert (body["status"], body["title"], body["retry_after"]) == (429, "Too Many Requests", 300)


def test_a_second_later_requests_are_answered_again(strict: Crm) -> None:
    assert statuses(strict, 4)[-1] == 429
    strict.control.advance(1)
    assert statuses(strict, 1) == [200]


def test_not_listening_to_429_leads_to_403_on_everything(strict: Crm) -> None:
    strict.control.config(abuse_429s=5, block_seconds=60)
    assert statuses(strict, 9) == [200] * 3 + [429] * 5 + [403]
    strict.control.advance(30)
    answer = strict.get("contacts")
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    strict.control.advance(31)
    assert statuses(strict, 1) == [200]


def test_429s_spread_over_a_longer_time_do_not_block(strict: Crm) -> None:
    strict.control.config(abuse_429s=3, abuse_window=10)
    for _ in range(4):
        assert statuses(strict, 4) == [200, 200, 200, 429]
        strict.control.advance(6)


def test_a_block_can_be_lifted(strict: Crm) -> None:
    strict.control.config(abuse_429s=1)
    assert statuses(strict, 5)[-1] == 403
    strict.control.config(lift_block=True)
    assert statuses(strict, 1) == [200]


def test_the_state_counts_requests_refusals_and_the_busiest_second(strict: Crm) -> None:
    strict.control.config(abuse_429s=2)
    statuses(strict, 6)
    counted = strict.control.state()["requests"]
    assert counted == {
        "total": 6,
        "counts": {"GET /api/v4/account": 6},
        "max_per_second": 6,
        "answers_429": 2,
        "answers_403": 1,
    }


def test_control_and_board_are_neither_counted_nor_limited(strict: Crm) -> None:
    for _ in range(10):
        strict.control.state()
        assert strict.session.get(strict.url, timeout=10).status_code == 200
    assert strict.control.state()["requests"]["total"] == 0


def test_no_limit_is_zero(crm: Crm) -> None:
    crm.control.config(rps=0, clock_frozen=True)
    assert set(statuses(crm, 40)) == {200}
    assert crm.control.state()["requests"]["max_per_second"] == 40


def test_without_a_frozen_clock_the_second_passes_by_itself(crm: Crm) -> None:
    crm.control.config(rps=1)
    deadline = time.monotonic() + 10
    while 429 not in statuses(crm, 2) and time.monotonic() < deadline:
        pass
    time.sleep(1.05)
    assert statuses(crm, 1) == [200]
