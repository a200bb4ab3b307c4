"""Faults: when there is one, and that it has one wording wherever it is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation
from pytest_django import Settings

from amocrm.api import responses
from amocrm.diagnostics import faults
from amocrm.locks.health import Health
from tests.amocrm.api.test_tokens import jwt

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


def token_text(now: datetime = NOW) -> str:
    """What is said of the token."""
    found = faults.of_token(now)
    return found.text if found else ""


@pytest.mark.parametrize(
    ("days", "warned"), [(31, False), (30, True), (1, True), (0, True), (-5, True), (2000, False)]
)
def test_the_tokens_end_is_warned_of_thirty_days_ahead(
    settings: Settings, days: int, warned: bool
) -> None:
    end = NOW + timedelta(days=days)
    settings.AMOCRM_ACCESS_TOKEN = jwt({"exp": int(end.timestamp())})
    assert bool(token_text()) is warned


def test_the_warning_says_when_and_what_to_do_in_both_languages(settings: Settings) -> None:
    settings.AMOCRM_ACCESS_TOKEN = jwt({"exp": int((NOW + timedelta(days=10)).timestamp())})
    with translation.override("en"):
        assert token_text() == (
            "The amoCRM access token expires on 03.12.2026, in 10 days: create a new one."
        )
        assert "expired on 03.12.2026" in token_text(NOW + timedelta(days=11))
    with translation.override("ru"):
        assert "03.12.2026" in token_text()
        assert "expires" not in token_text()


def test_a_token_that_cannot_be_one_is_not_warned_of(settings: Settings) -> None:
    settings.AMOCRM_ACCESS_TOKEN = "не токен"
    assert faults.of_token(NOW) is None


@pytest.mark.parametrize(
    ("redis", "code", "level", "critical"),
    [
        (Health(enabled=False), "off", "warning", False),
        (Health(enabled=True, trouble="refused"), "redis", "error", True),
        (Health(enabled=True, connected=True, trouble="refused"), "readonly", "error", True),
        (Health(True, True, True, evicts="allkeys-lru"), "evicts", "warning", False),
    ],
)
def test_each_fault_of_redis_says_what_it_is_and_what_to_type(
    redis: Health, code: str, level: str, critical: bool
) -> None:
    found = faults.of_redis(redis)
    assert found is not None
    assert (found.code, found.level, found.critical) == (code, level, critical)
    assert redis.trouble in found.text
    assert redis.evicts in found.text
    assert found.title
    assert found.fix
    assert found.commands


def test_a_redis_that_takes_locks_is_no_fault() -> None:
    assert faults.of_redis(Health(enabled=True, connected=True, available=True)) is None


def test_every_kind_of_pause_comes_with_advice() -> None:
    meaning = responses.Meaning
    everybody = {meaning.PAUSE, meaning.FORBIDDEN, meaning.BLOCKED}  # the latter two at times
    kinds = {row.kind for row in responses.RULES if row.meaning in everybody}
    # No rule of an answer: three 429 within a minute, and a pipeline that is gone.
    assert set(faults.ADVICE) == {*kinds, "rate", "stage"}
