"""A sandbox of these tests' own, and a small client that speaks to it as an integration would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from amocrm.sandbox.control_client import SandboxControl
from amocrm.sandbox.server import RunningSandbox, start

PIPELINE = 3177727
NEW, PROFTEST, EXPRESS = 32392159, 32392165, 32392168
UNSORTED = 32392156
WON, LOST = 142, 143


class Crm:
    """Requests with a token, counted and answered by a real server."""

    def __init__(self, running: RunningSandbox) -> None:
        self.running = running
        self.url = running.url
        self.control: SandboxControl = running.control
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = "Bearer sandbox-token"

    def call(self, method: str, path: str, **given: Any) -> requests.Response:
        return self.session.request(method, f"{self.url}/api/v4/{path}", timeout=10, **given)

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.call("GET", path, params=params)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.call("POST", path, json=body)

    def patch(self, path: str, body: Any) -> requests.Response:
        return self.call("PATCH", path, json=body)

    def seed(
        self,
        *,
        contacts: list[dict[str, Any]] | None = None,
        leads: list[dict[str, Any]] | None = None,
    ) -> tuple[list[int], list[int]]:
        made = self.control.seed(contacts=contacts, leads=leads)
        return made["contacts"], made["leads"]

    def add_contact(self, name: str = "Айгерим", *, email: str = "", phone: str = "") -> int:
        values = [
            {"field_code": code, "values": [{"value": value, "enum_code": "WORK"}]}
            for code, value in (("EMAIL", email), ("PHONE", phone))
            if value
        ]
        answer = self.post("contacts", [{"name": name, "custom_fields_values": values or None}])
        return int(answer.json()["_embedded"]["contacts"][0]["id"])

    def found(self, query: str) -> list[int]:
        answer = self.get("contacts", query=query)
        if answer.status_code == 204:
            return []
        return [one["id"] for one in answer.json()["_embedded"]["contacts"]]

    def lead(self, lead_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"leads/{lead_id}", **{"with": "contacts"}).json()
        return found

    def contact_values(self, contact_id: int, code: str) -> list[str]:
        rows = self.get(f"contacts/{contact_id}").json()["custom_fields_values"] or []
        return [
            value["value"] for row in rows if row["field_code"] == code for value in row["values"]
        ]


@pytest.fixture(scope="session")
def _running() -> Iterator[RunningSandbox]:
    with start(index_lag=0, rps=0) as running:
        yield running


@pytest.fixture
def crm(_running: RunningSandbox) -> Iterator[Crm]:
    """An empty account without limits or lag."""
    _running.control.reset()
    found = Crm(_running)
    yield found
    found.session.close()


def errors_of(answer: requests.Response) -> list[tuple[str, str]]:
    """Code and path of every validation error."""
    assert answer.status_code == 400, answer.text
    return [
        (error["code"], error["path"])
        for row in answer.json()["validation-errors"]
        for error in row["errors"]
    ]
