"""The user's own document, followed line by line through real processes."""

from __future__ import annotations

import re
import time
from typing import Any

import requests

from tests.project_copy import Copy
from tests.waiting import wait_until

SUBMISSION = {
    "name": "Test User",
    "email": "test@onai.academy",
    "phone": "+77771112233",
    "source": "proftest_main",
    "proftestAnswers": [],
}
EMAIL = SUBMISSION["email"]


def _wait_until_delivered(status_url: str, token: str) -> dict[str, Any]:
    give_up = time.monotonic() + 60
    while True:
        answer = requests.get(
            status_url, headers={"Authorization": f"Token {token}"}, timeout=10
        ).json()
        if answer["status"] != "accepted":
            return dict(answer)
        assert time.monotonic() < give_up, answer
        time.sleep(0.2)


def test_the_users_document_line_by_line(copy: Copy) -> None:
    copy.start_and_wait()
    site = f"http://127.0.0.1:{copy.port}"
    found = re.search(r"API token +([0-9a-f]{40})", copy.output)
    assert found
    token = found[1]
    staff = {"Authorization": f"Token {token}"}
    locks = f"{site}/api/admin/amocrm-locks"

    # Check 1: the status of the system.
    status = requests.get(f"{locks}/status", timeout=10).json()
    assert status["system"]["redis_connected"] is True
    assert status["system"]["locks_enabled"] is True
    assert status["message"] == "✅ Lock system operational"

    # Check 2: send a duplicate two seconds later. The first one creates, the second one updates.
    actions, due = [], time.monotonic()

    def is_due() -> bool:
        return time.monotonic() >= due

    for _ in range(2):
        wait_until(is_due, "its moment has come")
        due += 2
        answer = requests.post(f"{site}/api/landing/proftest", json=SUBMISSION, timeout=10)
        assert answer.status_code == 202
        actions.append(_wait_until_delivered(answer.json()["statusUrl"], token))
    assert [done["action"] for done in actions] == ["created", "updated"]
    assert actions[0]["amocrmLeadId"] == actions[1]["amocrmLeadId"]
    state = requests.get(f"{copy.env['AMOCRM_BASE_URL']}/_sandbox/state", timeout=10).json()
    assert len(state["leads"]) == len(state["contacts"]) == 1
    assert state["contacts"][0]["emails"] == [EMAIL]

    # Check 3: the two greps of the log.
    log = (copy.folder / "var" / "run.log").read_text(encoding="utf-8").splitlines()
    story = "\n".join(line for line in log if "test@onai.academy" in line)
    lead_id = actions[0]["amocrmLeadId"]
    expected = (
        "🔒 Lock ACQUIRED: amocrm:lead:test@onai.academy:77771112233",
        "🔍 [DEDUP] Starting duplicate check",
        f"✅ Found ACTIVE lead: ID {lead_id}",
        "🔄 [DEDUP] Will UPDATE existing lead",
        "🔓 Lock RELEASED",
    )
    second_time = story[story.rindex("🔐 [LOCK] Attempting to acquire lock for lead:") :]
    places = [second_time.find(line) for line in expected]
    assert -1 not in places
    assert places == sorted(places)
    assert sum("LOCK" in line and "🔒 Lock ACQUIRED" in line for line in log) == 2

    # Monitoring: list and clear, for who may.
    assert requests.get(locks, timeout=10).status_code == 401
    assert requests.delete(locks, timeout=10).status_code == 401
    listed = requests.get(locks, headers=staff, timeout=10).json()
    assert listed["locks"] == {"count": 0, "items": []}
    cleared = requests.delete(locks, headers=staff, timeout=10).json()
    assert (cleared["deleted"], cleared["message"]) == (0, "Cleared 0 AmoCRM locks")

    # Who calls directly does not speak for a proxy.
    claimed = {"X-Forwarded-Proto": "https"}
    wait_until(is_due, "it is no double click")
    answer = requests.post(
        f"{site}/api/landing/proftest", json=SUBMISSION, headers=claimed, timeout=10
    )
    assert answer.json()["statusUrl"].startswith(f"{site}/")
    _wait_until_delivered(answer.json()["statusUrl"], token)
