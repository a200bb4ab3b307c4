"""Django's system check: what is wrong with the configuration, with ids and hints."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, Warning
from django.core.management import call_command
from django.utils import timezone, translation
from pytest_django import Settings

from amocrm.diagnostics.checks import check_settings
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.api.test_tokens import jwt


def test_settings_that_fit_have_no_problem() -> None:
    assert check_settings() == []


@pytest.mark.parametrize(
    ("changes", "problem", "kind"),
    [
        ({"AMOCRM_STATUS_KASPI": 142}, "amocrm.E004", Error),
        ({"AMOCRM_STATUS_CARD": 143}, "amocrm.E004", Error),
        ({"AMOCRM_PIPELINE_ID": None}, "amocrm.W002", Warning),
    ],
    ids=str,
)
def test_each_problem_has_an_id_and_a_hint(
    settings: Settings, changes: dict[str, Any], problem: str, kind: type[CheckMessage]
) -> None:
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
    assert [message.id for message in found] == problems
    assert not any(message.is_serious() for message in found)


def test_the_problems_are_said_in_russian_and_in_english(settings: Settings) -> None:
    settings.AMOCRM_STATUS_KASPI = 142
    with translation.override("en"):
        assert "a stage of closed leads" in str(check_settings()[0].msg)
    with translation.override("ru"):
        assert "этап закрытых сделок" in str(check_settings()[0].msg)


@pytest.mark.django_db
@pytest.mark.parametrize("deploy", [False, True])
def test_checks_ask_nobody(sandbox: RunningSandbox, settings: Settings, deploy: bool) -> None:
    call_command("check", verbosity=0, deploy=deploy, tags=["amocrm"])
    assert sandbox.control.requests() == []
