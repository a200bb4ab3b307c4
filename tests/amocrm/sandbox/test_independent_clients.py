"""Clients of amoCRM that others wrote get along with the sandbox: it is not made for ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amocrm.sandbox.server import RunningSandbox

PROGRAMS = Path(__file__).with_name("independent")
CONTACTS = ["Anna", "Bulat", "Vera"]


def run(program: str, sandbox: RunningSandbox) -> dict[str, Any]:
    sandbox.control.seed(
        contacts=[{"name": name, "emails": [f"{name.lower()}@example.com"]} for name in CONTACTS]
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAMS / program), sandbox.url],
        cwd=PROGRAMS,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    seen: dict[str, Any] = json.loads(ended.stdout)
    return seen


@pytest.mark.parametrize(
    ("program", "note"),
    [
        ("with_amocrm_api.py", "A note by amocrm-api"),
        ("with_amocrm_api_wrapper.py", "A note by the wrapper"),
    ],
)
def test_another_client_lists_contacts_and_makes_changes_and_annotates_a_lead(
    sandbox: RunningSandbox, program: str, note: str
) -> None:
    seen = run(program, sandbox)
    assert seen["contacts"] == CONTACTS
    assert [len(page) for page in seen["pages"]] == [2, 1]
    assert seen["found"] == ["Anna"]
    assert seen["price"] == 250
    assert seen["notes"] == [note]
    state = sandbox.control.state()
    (lead,) = state["leads"]
    assert (lead["id"], lead["name"]) == (seen["lead_id"], seen["name"])
    assert [one["text"] for one in state["notes"]] == [note]


def test_a_page_beyond_the_last_is_nothing_found(sandbox: RunningSandbox) -> None:
    assert run("with_amocrm_api_wrapper.py", sandbox)["beyond"] == {}


def test_the_first_client_reads_stages_by_name(sandbox: RunningSandbox) -> None:
    assert run("with_amocrm_api.py", sandbox)["stage"] == "Новая заявка"
