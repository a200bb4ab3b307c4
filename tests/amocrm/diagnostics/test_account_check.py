"""``manage.py amocrm_check``: what a person runs after filling ``env.env``."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
import time_machine
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.models import QuerySet
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, mirror
from amocrm.api import pause
from amocrm.diagnostics import phone_search, sample_lead
from amocrm.mirror import comparing
from amocrm.models import MirrorState, Person
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.api.test_tokens import jwt
from tests.marked_texts import marked_texts
from tests.servers import RedisServer, free_port

pytestmark = pytest.mark.django_db(transaction=True)

FORMATTED = "+7 (777) 000-00-01"
CATALOGUE = Path(conf.__file__).parent / "locale" / "ru" / "LC_MESSAGES" / "django"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(phone_search, "ASK_EVERY", 0.2)
    monkeypatch.setattr(phone_search, "INDEX_MAX_WAIT", 5.0)
    cache.clear()
    yield
    cache.clear()


def run(*options: str) -> tuple[int, str]:
    """The exit status, and what was shown."""
    out = io.StringIO()
    try:
        call_command("amocrm_check", *options, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def findings(*options: str) -> dict[str, list[dict[str, Any]]]:
    """What was found, by what it is about."""
    status, shown = run("--json", "--language", "en", *options)
    body = json.loads(shown)
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in body["findings"]:
        found.setdefault(finding["about"], []).append(finding)
    wrong = any(one["level"] == "error" for one in body["findings"])
    assert (status, body["success"]) == (int(wrong), not wrong)
    return found


def levels(found: dict[str, list[dict[str, Any]]]) -> dict[str, set[str]]:
    return {about: {one["level"] for one in rows} for about, rows in found.items()}


def test_everything_in_order(sandbox: RunningSandbox) -> None:
    sandbox.control.seed(contacts=[{"name": "Anna", "phones": [FORMATTED]}])
    status, shown = run("--language", "en")
    assert status == 0
    assert "❌" not in shown
    assert "⚠️" not in shown
    for expected in (
        "account “Sandbox academy”",
        "Pipeline “Продажи” (3177727)",
        "AMOCRM_STATUS_KASPI: stage “Kaspi” (32392171)",
        "All UTM fields are there",
        "At most 1000 requests a second",
        "PHONE_SEARCH=digits is enough",
        "To fix: 0, to look at: 0.",
    ):
        assert expected in shown
    assert all(request["method"] == "GET" for request in sandbox.control.requests())


def test_russian_is_the_default(sandbox: RunningSandbox) -> None:
    status, shown = run()
    assert status == 0
    assert "Воронка «Продажи» (3177727)" in shown
    assert "Исправить: 0" in shown


def test_another_language_is_refused() -> None:
    with pytest.raises(CommandError):
        run("--language", "kk")


@pytest.mark.parametrize("stage", [999, 32392156], ids=["unknown", "Неразобранное"])
def test_a_stage_that_takes_no_leads_is_to_be_fixed(
    sandbox: RunningSandbox, settings: Settings, stage: int
) -> None:
    settings.AMOCRM_STATUS_CARD = stage
    status, shown = run("--language", "en")
    assert status == 1
    assert f"❌ AMOCRM_STATUS_CARD is {stage}" in shown
    assert "→ Choose one of these: 32392159 Новая заявка" in shown


def test_an_empty_stage_is_the_first_one(sandbox: RunningSandbox, settings: Settings) -> None:
    settings.AMOCRM_STATUS_CARD = None
    texts = [one["text"] for one in findings()["stage"]]
    assert "AMOCRM_STATUS_CARD is empty: leads go to the first stage, “Новая заявка”." in texts


def test_an_unknown_pipeline_is_to_be_fixed(sandbox: RunningSandbox, settings: Settings) -> None:
    settings.AMOCRM_PIPELINE_ID = 999
    (finding,) = findings()["pipeline"]
    assert finding["level"] == "error"
    assert "3177727 Продажи" in finding["fix"]
    assert pause.current() is None


def test_an_archived_pipeline_is_not_recommended(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.url}/api/v4/leads/pipelines"
    answer = requests.get(url, headers={"Authorization": "Bearer x"}, timeout=5).json()
    first, second = answer["_embedded"]["pipelines"]
    first["is_archive"] = True
    sandbox.control.fault("answer", path=".*/pipelines", times=-1, status=200, body=answer)
    (finding,) = findings()["pipeline"]
    assert (
        finding["fix"]
        == f"Set AMOCRM_PIPELINE_ID to one of these: {second['id']} {second['name']}."
    )


def test_a_database_without_tables_is_to_be_fixed(sandbox: RunningSandbox) -> None:
    broken = OperationalError("no such table: amocrm_accountstate")
    with mock.patch.object(QuerySet, "exists", side_effect=broken):
        found = findings()
    (finding,) = found["database"]
    assert finding["level"] == "error"
    assert "no such table" in finding["text"]
    assert "manage.py migrate" in finding["fix"]
    assert "account" not in found


def test_a_missing_field_is_to_be_looked_at(sandbox: RunningSandbox) -> None:
    sandbox.control.config(drop_field="FBCLID")
    (finding,) = findings()["fields"]
    assert finding["level"] == "warning"
    assert "FBCLID" in finding["text"]
    assert "GCLID" not in finding["text"]


def test_a_revoked_token_is_to_be_fixed_and_pauses_nobody(sandbox: RunningSandbox) -> None:
    sandbox.control.config(revoked_tokens=["*"])
    (finding,) = findings()["account"]
    assert finding["level"] == "error"
    assert "Неверный логин или пароль" in finding["text"]
    assert "Keys" in finding["fix"]
    assert pause.current() is None


@pytest.mark.parametrize(
    ("status", "says"), [(402, "not paid"), (403, "refuses"), (429, "slow down"), (502, "asked")]
)
def test_an_account_that_does_not_answer_as_it_should(
    sandbox: RunningSandbox, status: int, says: str
) -> None:
    sandbox.control.fault("answer", times=-1, status=status, body={"detail": "own words"})
    (finding,) = findings()["account"]
    assert finding["level"] == "error"
    assert says in finding["text"]
    assert "own words" in finding["text"]
    assert finding["fix"]


def test_an_account_out_of_reach(settings: Settings) -> None:
    settings.AMOCRM_BASE_URL = f"http://127.0.0.1:{free_port()}"
    (finding,) = findings()["account"]
    assert finding["level"] == "error"
    assert settings.AMOCRM_BASE_URL in finding["text"]


@pytest.mark.parametrize(
    ("days", "level", "says"),
    [(400, "ok", "will until"), (10, "warning", "expires on"), (-10, "warning", "expired on")],
)
def test_until_when_the_token_is_good(
    sandbox: RunningSandbox, settings: Settings, days: int, level: str, says: str
) -> None:
    end = timezone.now() + timedelta(days=days)
    settings.AMOCRM_ACCESS_TOKEN = jwt({"exp": int(end.timestamp())})
    (finding,) = findings()["token"]
    assert finding["level"] == level
    assert says in finding["text"]
    assert f"{end:%d.%m.%Y}" in finding["text"]


def test_a_token_that_cannot_be_one(sandbox: RunningSandbox, settings: Settings) -> None:
    settings.AMOCRM_ACCESS_TOKEN = "with blank "
    (finding,) = findings()["account"]
    assert finding["level"] == "error"
    assert "AMOCRM_ACCESS_TOKEN" in finding["text"]
    assert sandbox.control.requests() == []


def test_without_redis_the_account_is_asked_all_the_same(
    sandbox: RunningSandbox, redis_server: RedisServer
) -> None:
    redis_server.kill()
    found = findings()
    assert levels(found)["redis"] == {"error"}
    assert levels(found)["account"] == {"ok"}
    assert levels(found)["limits"] == {"ok"}


def test_redis_switched_off_is_to_be_looked_at(sandbox: RunningSandbox, settings: Settings) -> None:
    settings.REDIS_ENABLED = False
    assert levels(findings())["redis"] == {"warning"}


def test_a_pause_is_shown_and_stays(sandbox: RunningSandbox) -> None:
    pause.begin(conf.current().account, "token", "the reason of the pause")
    (finding,) = findings()["pause"]
    assert finding["level"] == "warning"
    assert "the reason of the pause" in finding["text"]
    assert pause.current() is not None


# --- are leads sent together? --------------------------------------------------------------------


def test_the_mirror_is_told_of(sandbox: RunningSandbox, settings: Settings) -> None:
    def burst() -> dict[str, Any]:
        (found,) = findings()["burst"]
        return found

    assert "BURST=off" in burst()["text"]
    settings.BURST = "auto"
    assert burst()["text"].startswith("Each lead is sent by itself until")
    assert "Contacts it knows: 0; all walked: not yet;" in burst()["text"]
    contacts = [{"emails": ["a@b.kz"], "phones": ["+77770000001"]}, {"phones": ["+77770000001"]}]
    first, _ = sandbox.control.seed(contacts=contacts)["contacts"]
    with time_machine.travel("2026-11-24T22:03Z"):
        call_command("find_duplicate_leads", "--json", stdout=io.StringIO())
    MirrorState.objects.update(comparisons=3)
    assert burst()["text"] == (
        "When many people come at once, their leads are sent together. Contacts it knows: 2; all "
        "walked: 25.11.2026 03:03; comparisons with the search that it has survived: 3 (3 are "
        "enough)."
    )
    mirror.distrust(conf.current().account, comparing.UNKNOWN, contact_id=first)
    found = burst()
    assert (found["level"], "BURST=off" in found["fix"]) == ("warning", True)
    assert f"did not know ({sandbox.url}/contacts/detail/{first})." in found["text"]
    assert "comparisons with the search that it has survived: 0" in found["text"]
    assert "поиск нашёл контакт, которого зеркало не знало" in run("--language", "ru")[1]


# --- does the search see through a formatted phone? --------------------------------------------


def test_nobody_knows_without_a_formatted_phone(sandbox: RunningSandbox) -> None:
    sandbox.control.seed(contacts=[{"name": "Anna", "phones": ["+77770000001", "nonsense"]}])
    (finding,) = findings()["search"]
    assert finding["level"] == "warning"
    assert "--create-test-lead" in finding["fix"]


@pytest.mark.parametrize(
    ("sees_through", "phone", "setting", "level"),
    [
        (True, FORMATTED, "digits", "ok"),
        (True, FORMATTED, "all", "ok"),
        (False, "+7 777 000 0001", "digits", "error"),
        (False, "+7 777 000 0001", "all", "ok"),
        (False, "8(777)000-00-01", "all", "warning"),
    ],
)
def test_what_the_search_needs_is_compared_with_the_setting(
    sandbox: RunningSandbox,
    settings: Settings,
    sees_through: bool,
    phone: str,
    setting: str,
    level: str,
) -> None:
    settings.PHONE_SEARCH = setting
    sandbox.control.config(see_through_phones=sees_through)
    sandbox.control.seed(contacts=[{"name": "Anna", "phones": [phone]}])
    (finding,) = findings()["search"]
    assert finding["level"] == level
    assert "PHONE_SEARCH=" in finding["text"] + finding["fix"]


# --- the test lead -----------------------------------------------------------------------------


@pytest.mark.parametrize(("sees_through", "level"), [(True, "ok"), (False, "error")])
def test_a_test_lead_is_made_found_again_and_said_where_it_is(
    sandbox: RunningSandbox, sees_through: bool, level: str
) -> None:
    sandbox.control.config(see_through_phones=sees_through, index_lag=1)
    found = findings("--create-test-lead")
    state = sandbox.control.state()
    (lead,) = state["leads"]
    assert lead["status_id"] == 32392159
    assert lead["tags"] == ["тест"]
    assert state["contacts"][0]["emails"][0].endswith("@example.com")
    (made,) = found["test_lead"]
    assert f"{sandbox.url}/leads/detail/{lead['id']}" in made["text"]
    assert found["search"][0]["level"] == level
    assert Person.objects.count() == 0


def test_a_test_lead_that_is_refused_is_to_be_fixed(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", method="POST", status=403, body={"detail": "Invalid scope"})
    (finding,) = findings("--create-test-lead")["test_lead"]
    assert finding["level"] == "error"
    assert "Invalid scope" in finding["text"]


def test_a_test_lead_that_went_into_somebodys_is_not_to_be_closed(sandbox: RunningSandbox) -> None:
    phone = sample_lead._example_phone("KZ")
    planted = sandbox.control.seed(contacts=[{"phones": [phone]}], leads=[{"contact": 0}])
    sandbox.control.config(duplicate_control=True)
    found = findings("--create-test-lead")
    (merged,) = found["test_lead"]
    assert merged["level"] == "warning"
    assert f"/leads/detail/{planted['leads'][0]}" in merged["text"]
    assert "Do not close it" in merged["fix"]
    assert "search" in found


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            {"status": 400, "body": {"validation-errors": [{"errors": [{"path": "name"}]}]}},
            "No test lead was made: amoCRM rejects our data: name",
        ),
        ({"action": "lose_answer"}, "Whether the test lead was made is not known"),
    ],
    ids=["rejected", "lost"],
)
def test_a_test_lead_that_fails_says_why(
    sandbox: RunningSandbox, fault: dict[str, Any], says: str
) -> None:
    sandbox.control.fault(**{"action": "answer", "method": "POST", **fault})
    (finding,) = findings("--create-test-lead")["test_lead"]
    assert finding["level"] == "error"
    assert finding["text"].startswith(says)


def test_without_a_pipeline_no_test_lead_is_made(
    sandbox: RunningSandbox, settings: Settings
) -> None:
    settings.AMOCRM_PIPELINE_ID = 999
    (finding,) = findings("--create-test-lead")["test_lead"]
    assert "AMOCRM_PIPELINE_ID" in finding["text"]
    assert sandbox.control.state()["leads"] == []


def test_a_region_without_an_example_phone_is_no_trouble(
    sandbox: RunningSandbox, settings: Settings
) -> None:
    settings.PHONE_REGION = "TA"
    assert levels(findings("--create-test-lead"))["test_lead"] == {"ok"}


# --- the translations --------------------------------------------------------------------------


def test_every_text_has_its_russian_and_the_compiled_catalogue_is_of_this_source() -> None:
    with CATALOGUE.with_suffix(".po").open("rb") as source:
        written = {message.id: message for message in read_po(source)}
    with CATALOGUE.with_suffix(".mo").open("rb") as compiled:
        read = {message.id: message.string for message in read_mo(compiled)}
    for text, message in written.items():
        assert message.string, text
        assert read[text] == message.string
        if text:
            assert sorted(placeholders(text)) == sorted(placeholders(message.string)), text
    assert marked_texts("amocrm") == written.keys() - {""}


def placeholders(text: Any) -> list[str]:
    return re.findall(r"%\(\w+\)[a-z]", str(text))
