"""Log lines: one per event, nothing hidden in them, nobody recognisable if asked."""

from __future__ import annotations

import json
import logging
import logging.config
import re
from typing import Any

import pytest
from celery.beat import SchedulingError

from config.logging import BrokerOutage, ConsoleFormatter, Json, logging_config
from config.privacy import Scrubber

TOKEN = "eyJ0eXAiOiJKV1Q.very-long-token"
SUBMISSION = "550e8400-e29b-41d4-a716-446655440000"


def record(message: str, *args: Any, exc_info: Any = None, **extra: Any) -> logging.LogRecord:
    """A record as a logger makes it."""
    made = logging.LogRecord("amocrm.upsert", logging.INFO, "f.py", 1, message, args, exc_info)
    made.__dict__.update(extra)
    return made


def console(*, masked: bool = False) -> ConsoleFormatter:
    """The console's formatter."""
    return ConsoleFormatter(scrubber=Scrubber(masked=masked, secrets=[TOKEN]))


def as_json(made: logging.LogRecord, *, masked: bool = False) -> dict[str, Any]:
    """The record as its JSON line, parsed."""
    line = Json(scrubber=Scrubber(masked=masked, secrets=[TOKEN])).format(made)
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def failure(text: str) -> Any:
    """What ``sys.exc_info()`` gives for an error of this text."""
    try:
        raise ValueError(text)
    except ValueError as error:
        return (type(error), error, error.__traceback__)


def test_a_line_is_time_level_logger_message() -> None:
    line = console().format(record("🔒 Lock ACQUIRED: %s", "amocrm:lead:a@b.kz"))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d INFO amocrm\.upsert  "
        r"🔒 Lock ACQUIRED: amocrm:lead:a@b\.kz",
        line,
    )


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x85, 0x9B, 0x2028, 0x2029, 0x202E, 0xD800])
def test_no_control_character_reaches_a_line(code: int) -> None:
    made = record("name: %s", f"Eve{chr(code)}2026-11-23 INFO forged")
    line = console().format(made)
    assert chr(code) not in line
    assert len(line.splitlines()) == 1
    line.encode()
    if code != 0xD800:
        assert chr(code) not in as_json(made)["message"] or chr(code) == "\n"


def test_a_traceback_has_lines_of_its_own_that_cannot_pass_for_events() -> None:
    lines = (
        console().format(record("bad", exc_info=failure("x\n2026 INFO forged\x1b[2J"))).split("\n")
    )
    assert len(lines) > 3
    assert all(line.startswith("  | ") for line in lines[1:])
    assert "\x1b" not in "".join(lines)


def test_everything_is_masked_in_tracebacks_and_json_fields() -> None:
    made = record(
        "for %s",
        "test@onai.academy",
        exc_info=failure("no contact for +77771112233"),
        lead_id=156798987,
        phone=77771112233,
        person={"email": "test@onai.academy", "phones": ["+77771112233"]},
        submission=SUBMISSION,
    )
    text = console(masked=True).format(made)
    fields = as_json(made, masked=True)
    for shown in (text, json.dumps(fields)):
        assert "test@onai" not in shown
        assert "77771112233" not in shown
    assert fields["message"] == "for te***@onai.academy"
    assert fields["lead_id"] == 156798987
    assert fields["submission"] == SUBMISSION
    assert fields["person"]["phones"] == ["+7777***2233"]
    assert fields["level"] == "INFO"


@pytest.mark.parametrize(
    "text",
    [
        f"sent {TOKEN} there",
        "Authorization: Bearer abcdefghijklmnop1234",
        "{'Authorization': 'Token 79c273141d63103867f51852371fd1fae2e8331e'}",
        "redis://:hunter2hunter2@127.0.0.1:6379/0",
        "postgres://leads:hunter2@db/leads",
    ],
)
def test_no_secret_reaches_a_line(text: str) -> None:
    line = console().format(record("%s", text))
    for secret in (TOKEN, "hunter2", "abcdefghijklmnop1234", "79c273141d63103867f5"):
        assert secret not in line
    assert "[secret]" in line


def test_an_absent_broker_is_one_line() -> None:
    error = SchedulingError("Redis is away")
    made = record("Message Error: %s\n%s", error, "stack", exc_info=(type(error), error, None))
    made.name = "celery.beat"
    assert BrokerOutage().filter(made)
    assert console().format(made).endswith("celery.beat  Message Error: Redis is away")


def test_other_errors_of_celery_keep_their_traceback() -> None:
    made = record("broken", exc_info=failure("x"))
    made.name = "celery.app.trace"
    assert BrokerOutage().filter(made)
    assert "ValueError: x" in console().format(made)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_configuration_is_one_that_logging_takes(log_format: str) -> None:
    config = logging_config(log_format=log_format, masked=True, secrets=[TOKEN])
    made = logging.config.DictConfigurator(config).configure_formatter(
        config["formatters"]["line"].copy()
    )
    assert "te***@onai.academy" in made.format(record("test@onai.academy"))
