"""Django's system checks: what is wrong with the configuration, with ids and hints."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, Warning, registry
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.utils import timezone, translation
from pytest_django import Settings

from amocrm import conf
from amocrm.api import pause
from amocrm.diagnostics.checks import TAG, check_account, check_settings
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.api.test_tokens import jwt
from tests.servers import free_port

REAL = "https://school.amocrm.ru"


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


def test_settings_that_fit_have_no_problem() -> None:
    assert check_settings() == []


@pytest.mark.parametrize(
    ("changes", "problem", "kind"),
    [
        ({"AMOCRM_BASE_URL": "http://school.amocrm.ru"}, "amocrm.E001", Error),
        ({"AMOCRM_BASE_URL": "https://"}, "amocrm.E001", Error),
        ({"AMOCRM_ACCESS_TOKEN": "padded "}, "amocrm.E002", Error),
        ({"AMOCRM_ACCESS_TOKEN": ""}, "amocrm.E002", Error),
        ({"AMOCRM_BASE_URL": REAL, "AMOCRM_MAX_RPS": 8}, "amocrm.E003", Error),
        ({"AMOCRM_STATUS_KASPI": 142}, "amocrm.E004", Error),
        ({"AMOCRM_STATUS_CARD": 143}, "amocrm.E004", Error),
        ({"AMOCRM_PIPELINE_ID": None}, "amocrm.W002", Warning),
    ],
    ids=str,
)
def test_each_problem_has_an_id_and_a_hint(
    settings: Settings, changes: dict[str, Any], problem: str, kind: type[CheckMessage]
) -> None:
    if "AMOCRM_MAX_RPS" not in changes and "AMOCRM_BASE_URL" in changes:
        settings.AMOCRM_MAX_RPS = 5
    for name, value in changes.items():
        setattr(settings, name, value)
    (found,) = check_settings()
    assert (found.id, type(found)) == (problem, kind)
    assert found.hint


@pytest.mark.parametrize(
    ("days", "problems"), [(100, []), (20, ["amocrm.W001"]), (-1, ["amocrm.W001"])]
)
def test_a_token_that_ends_warns_but_does_not_stop_the_service(
    settings: Settings, days: int, problems: list[str]
) -> None:
    end = timezone.now() + timedelta(days=days)
    settings.AMOCRM_ACCESS_TOKEN = jwt({"exp": int(end.timestamp())})
    found = check_settings()
    assert ids(found) == problems
    assert not any(message.is_serious() for message in found)


def test_the_problems_are_said_in_russian_and_in_english(settings: Settings) -> None:
    settings.AMOCRM_STATUS_KASPI = 142
    with translation.override("en"):
        assert "a stage of closed leads" in str(check_settings()[0].msg)
    with translation.override("ru"):
        assert "этап закрытых сделок" in str(check_settings()[0].msg)


# --- asking the account ------------------------------------------------------------------------

pytestmark = pytest.mark.django_db


def test_plain_checks_ask_nobody(sandbox: RunningSandbox) -> None:
    call_command("check", verbosity=0)
    assert sandbox.control.requests() == []


def test_the_account_is_asked_on_demand(sandbox: RunningSandbox, settings: Settings) -> None:
    assert check_account in registry.registry.deployment_checks
    settings.AMOCRM_STATUS_KASPI = 999
    with pytest.raises(SystemCheckError, match=r"amocrm\.E011"):
        call_command("check", deploy=True, tags=[TAG])
    assert len(sandbox.control.requests()) > 0


def test_an_account_that_has_everything_has_no_problem(sandbox: RunningSandbox) -> None:
    assert check_account() == []


def test_stages_that_are_not_there_are_named_with_those_that_are(
    sandbox: RunningSandbox, settings: Settings
) -> None:
    settings.AMOCRM_STATUS_KASPI = 999
    settings.AMOCRM_STATUS_CARD = 32392156  # «Неразобранное»
    found = check_account()
    assert ids(found) == ["amocrm.E011", "amocrm.E011"]
    assert "AMOCRM_STATUS_KASPI" in found[0].msg
    assert "32392171 Kaspi" in str(found[0].hint)
    assert "AMOCRM_STATUS_CARD" in found[1].msg


def test_a_pipeline_that_is_not_there_is_an_error_and_pauses_nobody(
    sandbox: RunningSandbox, settings: Settings
) -> None:
    settings.AMOCRM_PIPELINE_ID = 999
    assert ids(check_account()) == ["amocrm.E010"]
    assert pause.current() is None


def test_a_revoked_token_is_an_error_and_pauses_nobody(sandbox: RunningSandbox) -> None:
    sandbox.control.config(revoked_tokens=["*"])
    assert ids(check_account()) == ["amocrm.E012"]
    assert pause.current() is None


def test_an_account_out_of_reach_is_a_warning(settings: Settings) -> None:
    settings.AMOCRM_BASE_URL = f"http://127.0.0.1:{free_port()}"
    started = time.monotonic()
    assert ids(check_account()) == ["amocrm.W010"]
    assert time.monotonic() - started < 10


def test_a_paused_account_is_asked_all_the_same(sandbox: RunningSandbox) -> None:
    pause.begin(conf.current().account, "token", "revoked")
    assert check_account() == []
    assert pause.current() is not None
