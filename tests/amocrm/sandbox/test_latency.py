"""Requests that take their time, each on its own."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
import requests

from amocrm.sandbox.server import start
from tests.amocrm.sandbox.conftest import Crm
from tests.amocrm.sandbox.test_faults import eventually

LONG = 3600.0


def took(crm: Crm, method: str, path: str, body: object = None) -> float:
    began = time.monotonic()
    assert crm.call(method, path, json=body).ok
    return time.monotonic() - began


def test_every_request_takes_the_latency(crm: Crm) -> None:
    crm.control.config(latency=0.1)
    assert took(crm, "GET", "contacts") >= 0.1
    assert took(crm, "POST", "leads/complex", [{"name": "a"}]) >= 0.1


def test_each_row_of_a_write_takes_its_own(crm: Crm) -> None:
    _, (lead_id,) = crm.seed(leads=[{}])
    crm.control.config(latency=0.1, latency_per_row=0.02)
    rows = [{"id": lead_id}] * 20
    assert took(crm, "POST", "leads/complex", rows) >= 0.5
    assert took(crm, "PATCH", "leads", rows) >= 0.5
    assert took(crm, "PATCH", f"leads/{lead_id}", {"price": 1}) >= 0.12


def test_reading_has_no_rows_and_a_refusal_takes_no_time(crm: Crm) -> None:
    crm.control.config(latency_per_row=LONG, rps=1, clock_frozen=True)
    assert crm.get("contacts").status_code == 204
    assert crm.post("leads", [{"name": "a"}]).status_code == 429


def test_waiting_requests_overlap_and_hold_up_nobody() -> None:
    """Two wait for an hour at once; a third, which need not wait, is answered meanwhile."""
    with start(index_lag=0, rps=0, latency_per_row=LONG) as running:
        slow = Crm(running)

        def send() -> None:
            # Stopping the sandbox cuts them off, sooner or later than their answer.
            with contextlib.suppress(requests.RequestException):
                requests.post(
                    f"{slow.url}/api/v4/leads",
                    json=[{"name": "a"}],
                    headers={"Authorization": "Bearer x"},
                    timeout=60,
                )

        senders = [threading.Thread(target=send) for _ in range(2)]
        for one in senders:
            one.start()
        eventually(lambda: slow.control.state()["requests"]["total"] == 2)
        assert slow.get("account").status_code == 200
        assert slow.control.state()["leads"] == []
        assert all(one.is_alive() for one in senders)
        slow.session.close()
    for one in senders:
        one.join()


def test_what_waits_over_a_reset_is_dropped(crm: Crm) -> None:
    crm.control.config(latency=1.0)
    failed: list[Exception] = []

    def send() -> None:
        try:
            crm.post("leads", [{"name": "a"}])
        except requests.ConnectionError as error:
            failed.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    eventually(lambda: crm.control.state()["requests"]["total"] == 1)
    crm.control.reset()
    sender.join()
    assert len(failed) == 1
    assert crm.control.state()["leads"] == []


@pytest.mark.parametrize("setting", ["latency", "latency_per_row", "list_lag"])
def test_no_time_is_negative(crm: Crm, setting: str) -> None:
    answer = requests.post(f"{crm.url}/_sandbox/config", json={setting: -1}, timeout=10)
    assert answer.status_code == 400
