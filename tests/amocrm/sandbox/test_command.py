"""``manage.py amocrm_sandbox``."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from amocrm.management.commands import amocrm_sandbox
from amocrm.sandbox.server import start


def parsed(*arguments: str) -> dict[str, Any]:
    parser = amocrm_sandbox.Command().create_parser("manage.py", "amocrm_sandbox")
    return vars(parser.parse_args(list(arguments)))


@pytest.mark.parametrize(
    ("base_url", "port"),
    [("http://127.0.0.1:3955", 3955), ("https://sub.amocrm.ru", 3001), ("", 3001)],
)
def test_the_port_is_that_of_the_configured_address(
    settings: Settings, base_url: str, port: int
) -> None:
    settings.AMOCRM_BASE_URL = base_url
    assert parsed()["port"] == port
    assert parsed("--port", "3999")["port"] == 3999


def test_the_defaults_are_those_of_a_real_account() -> None:
    options = parsed()
    assert (options["host"], options["index_lag"], options["rps"]) == ("127.0.0.1", 2.0, 7)


def test_a_busy_port_is_a_sentence() -> None:
    with start() as running, pytest.raises(CommandError, match=str(running.port)):
        call_command("amocrm_sandbox", port=running.port)


def test_another_host_than_loopback_is_a_sentence() -> None:
    with pytest.raises(CommandError, match="loopback only"):
        call_command("amocrm_sandbox", host="0.0.0.0")  # noqa: S104
