"""The settings: what must not start, and its one sentence."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from config.env import ConfigError
from tests.conftest import ENVIRONMENT

PROJECT = Path(__file__).resolve().parents[2]


def fresh(*command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the service's with these variables changed."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        cwd=PROJECT,
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"REDIS_ENABLED": "ture"}, "REDIS_ENABLED is 'ture': write true or false."),
        ({"SECRET_KEY": "", "DEBUG": "false"}, "SECRET_KEY is not set"),
        ({"WEB_HOST": "localhost"}, "WEB_HOST is 'localhost': write an IP address"),
        ({"WEB_HOST": "::", "DEBUG": "true"}, "WEB_HOST is :: while DEBUG is true"),
        ({"LOCK_TTL": "ten"}, "LOCK_TTL is 'ten': write a whole number"),
        ({"LOCK_TTL": "9", "AMOCRM_TIMEOUT": "5"}, "LOCK_TTL is 9, less than twice"),
        ({"SETTLE_SECONDS": "14", "AMOCRM_TIMEOUT": "5"}, "SETTLE_SECONDS is 14, less than"),
        ({"AMOCRM_BASE_URL": "https://a.amocrm.ru", "AMOCRM_MAX_RPS": "8"}, "AMOCRM_MAX_RPS is 8"),
        ({"BURST": "on"}, "BURST is 'on': write one of auto, off."),
        ({"BURST": ""}, "BURST is empty"),
        ({"BURST_MAX_PER_MINUTE": "0"}, "BURST_MAX_PER_MINUTE is '0': write a whole number above"),
        ({"BURST_MAX_PER_MINUTE": "6.5"}, "BURST_MAX_PER_MINUTE is '6.5': write a whole number"),
        ({"AMOCRM_ACCESS_TOKEN": ""}, "AMOCRM_ACCESS_TOKEN is not set"),
        ({"AMOCRM_ACCESS_TOKEN": " "}, "AMOCRM_ACCESS_TOKEN "),
        ({"IGNORED_IDENTITIES": "info@x.kz;sales@x.kz"}, "IGNORED_IDENTITIES is 'info@x.kz;sales@"),
        ({"IGNORED_IDENTITIES": "info@x.kz,12"}, "IGNORED_IDENTITIES is '12'"),
        ({"AMOCRM_ACCESS_TOKEN": "very-secret-value "}, "AMOCRM_ACCESS_TOKEN holds spaces"),
        ({"METRICS_TOKEN": "short"}, "METRICS_TOKEN is too easy to guess"),
        ({"METRICS_TOKEN": "very-secret-value with a space"}, "METRICS_TOKEN is too easy"),
        ({"DATABASE_URL": "mysql://u:very-secret-value@h/x"}, "DATABASE_URL cannot be used"),
        ({"LANDING_ALLOWED_ORIGINS": "https://ok.kz,https://a.kz/"}, "'https://a.kz/'"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], words: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised:
        runpy.run_path(str(PROJECT / "config" / "settings.py"))
    sentence = str(raised.value)
    assert words in sentence
    assert re.fullmatch(r".+\.", sentence)
    assert "very-secret-value" not in sentence


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:3001", True),
        ("http://localhost:3001", True),
        ("http://[::1]:3001", True),
        ("https://a.amocrm.ru", False),
    ],
)
def test_only_an_account_on_this_machine_is_local(
    monkeypatch: pytest.MonkeyPatch, url: str, is_local: bool
) -> None:
    monkeypatch.setenv("AMOCRM_BASE_URL", url)
    monkeypatch.setenv("AMOCRM_MAX_RPS", "5")
    read = runpy.run_path(str(PROJECT / "config" / "settings.py"))
    assert read["AMOCRM_IS_LOCAL"] is is_local


def test_the_bounds_themselves_are_allowed() -> None:
    changes = {"LOCK_TTL": "10", "SETTLE_SECONDS": "15", "AMOCRM_TIMEOUT": "5"}
    result = fresh("manage.py", "check", **changes, AMOCRM_ACCESS_TOKEN="x")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("blank", ["", "  "])
def test_without_a_secret_key_each_start_makes_its_own(blank: str) -> None:
    command = "from django.conf import settings; print(settings.SECRET_KEY)"
    keys = {
        subprocess.run(
            [sys.executable, "-c", command],
            cwd=PROJECT,
            env={**os.environ, "DEBUG": "true", "SECRET_KEY": blank},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for _ in range(2)
    }
    assert len(keys) == 2
    assert min(map(len, keys)) >= 50


@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "check"),
        ("-m", "celery", "-A", "config", "worker"),
        ("-m", "celery", "-A", "config", "beat"),
        ("-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi"),
    ],
)
def test_every_process_ends_with_the_sentence(command: tuple[str, ...]) -> None:
    result = fresh(*command, DATABASE_URL="mysql://u:very-secret-value@h/x")
    assert result.returncode == 1
    assert re.fullmatch(r"Configuration: DATABASE_URL cannot be used.+\.\n", result.stderr)
    assert "very-secret-value" not in result.stderr


def test_a_gunicorn_without_our_configuration_ends_too() -> None:
    command = ("-m", "gunicorn", "--no-control-socket", "-b", "127.0.0.1:0", "config.wsgi")
    result = fresh(*command, LOCK_TTL="ten")
    assert result.returncode == 3
    assert "LOCK_TTL is 'ten'" in result.stderr


def test_the_example_and_the_tests_know_the_same_variables() -> None:
    text = (PROJECT / "env.env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"(?m)^([A-Z_]+)=", text)) == set(ENVIRONMENT)


def test_the_documented_checks_on_the_server_itself_are_served() -> None:
    assert {"localhost", "127.0.0.1", "[::1]"} <= set(settings.ALLOWED_HOSTS)


def test_our_own_hosts_are_trusted_behind_tls_and_the_landing_pages_are_not() -> None:
    assert settings.CSRF_TRUSTED_ORIGINS == ["https://testserver"]
    assert settings.CORS_ALLOWED_ORIGINS == ["https://landing.example"]


def test_the_checks_for_deployment_find_nothing() -> None:
    changes = {
        "DEBUG": "false",
        "ALLOWED_HOSTS": "leads.example.com",
        "TRUSTED_PROXIES": "1",
        "AMOCRM_BASE_URL": "https://example.amocrm.ru",
        "AMOCRM_MAX_RPS": "5",
    }
    result = fresh("manage.py", "check", "--deploy", "--fail-level", "WARNING", **changes)
    assert result.returncode == 0, result.stderr
    assert "System check identified no issues" in result.stdout
