"""A page on the internet reaches this machine through its visitor's browser."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from amocrm.sandbox.control_api import PREFIX
from tests.amocrm.sandbox.conftest import Crm

FAULT = '{"action": "lose_answer"}'


def call(crm: Crm, method: str, path: str, body: str = "", **headers: str) -> requests.Response:
    url, sent = crm.url + path, {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, url, data=body.encode(), headers=sent, timeout=10)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/plain;charset=UTF-8", "multipart/form-data", ""]
)
def test_what_a_browser_sends_without_asking_steers_nothing(crm: Crm, content_type: str) -> None:
    answer = call(crm, "POST", f"{PREFIX}/faults", FAULT, Content_Type=content_type)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["error"]
    assert crm.control.faults() == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
@pytest.mark.parametrize("body", ["", FAULT])
def test_another_sites_page_steers_nothing(crm: Crm, origin: str, body: str) -> None:
    crm.add_contact(email="a@b.kz")
    json = "application/json"
    for path in ("reset", "faults"):
        answer = call(crm, "POST", f"{PREFIX}/{path}", body, Origin=origin, Content_Type=json)
        assert answer.status_code == 403
    assert crm.control.faults() == []
    assert len(crm.control.state()["contacts"]) == 1


def test_a_page_of_its_own_may(crm: Crm) -> None:
    assert call(crm, "POST", f"{PREFIX}/reset", Origin=crm.url).status_code == 200


@pytest.mark.parametrize("path", ["/", f"{PREFIX}/state", "/api/v4/contacts", "/leads/detail/1"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1:3001", "[x"])
def test_a_name_that_leads_here_but_is_not_ours_sees_nothing(
    crm: Crm, path: str, host: str
) -> None:
    crm.add_contact(email="a@b.kz")
    answer = call(crm, "GET", path, Host=host, Authorization="Bearer x")
    assert answer.status_code == 421
    assert "a@b.kz" not in answer.text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:3001", "127.0.0.1", "127.1.2.3", "[::1]:3001"]
)
def test_every_name_of_this_machine_is_served(crm: Crm, host: str) -> None:
    found: Any = call(crm, "GET", f"{PREFIX}/state", Host=host).json()
    assert found["contacts"] == []
