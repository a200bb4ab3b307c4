"""Log lines: one per event, free of control characters, without secrets, masked if asked.

Console: ``2026-11-23T03:00:01+05:00 INFO amocrm.upsert  message``; a traceback follows on lines
of its own, each begun by ``  | `` so that none can pass for an event. JSON: one object a line.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from celery.beat import SchedulingError
from kombu.exceptions import OperationalError
from pythonjsonlogger.json import JsonFormatter
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from config.privacy import Scrubber

_OUTAGE = (SchedulingError, OperationalError, RedisConnectionError, RedisTimeoutError)
_TRACEBACK_MARK = "\n  | "


def logging_config(*, log_format: str, masked: bool, secrets: Iterable[str]) -> dict[str, Any]:
    """Return Django's ``LOGGING``: everything on stderr, as ``console`` or ``json`` lines."""
    formatter = {"console": "config.logging.ConsoleFormatter", "json": "config.logging.Json"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": formatter[log_format],
                "scrubber": Scrubber(masked=masked, secrets=secrets),
            }
        },
        "filters": {"outage": {"()": "config.logging.BrokerOutage"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["outage"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # Without the handlers that Django and gunicorn would give them.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": [], "level": "INFO", "propagate": True},
            "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
            "gunicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            "waitress.queue": {"level": "ERROR"},  # that some wait for a thread is no trouble
            # Scanners ask for hosts of their own all day; they get a 400 and no traceback.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # A line per sweep and per message would bury the story of a lead.
            "celery": {"level": "INFO"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.worker.request": {"level": "ERROR"},
            "celery.beat": {"level": "WARNING"},
            "redis_lock": {"level": "ERROR"},
            "axes": {"level": "ERROR"},  # config.login says the same in one line
        },
    }


class BrokerOutage(logging.Filter):
    """Cuts Celery's complaints about an absent broker to one line.

    They come every two seconds as long as Redis is away, with a hundred lines of traceback each.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record if it is such a complaint; let every record pass."""
        error = record.exc_info[1] if record.exc_info else None
        if record.name.startswith(("celery.", "kombu.")) and isinstance(error, _OUTAGE):
            record.msg = record.getMessage().partition("\n")[0]
            record.args = None
            record.exc_info = record.exc_text = None
        return True


class ConsoleFormatter(logging.Formatter):
    """One readable line per event, then its traceback, if any."""

    def __init__(self, *, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrub = scrubber

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; whatever the message holds, it stays on it."""
        message = self._scrub.line(record.getMessage())
        line = f"{_local_time(record)} {record.levelname} {record.name}  {message}"
        details = []
        if record.exc_info:
            details.append(self.formatException(record.exc_info))
        if record.stack_info:
            details.append(self.formatStack(record.stack_info))
        for text in details:
            line += _TRACEBACK_MARK + _TRACEBACK_MARK.join(self._scrub.lines(text))
        return line


class Json(JsonFormatter):
    """One JSON object per event, its extra fields included."""

    def __init__(self, *, scrubber: Scrubber) -> None:
        super().__init__(
            ["time", "levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
        self._scrub = scrubber

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """Collect the fields; the time carries its zone, as on the console."""
        super().add_fields(log_data, record, message_dict)
        log_data["time"] = _local_time(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Clean every text, however deep."""
        time = log_data.pop("time")
        return {
            "time": time,
            **{str(key): self._clean(log_data[key], str(key)) for key in log_data},
        }

    def _clean(self, value: Any, key: str = "") -> Any:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            # A number is an id, unless its field says that it is somebody's phone.
            return self._scrub.line(str(value)) if "phone" in key.lower() else value
        if isinstance(value, Mapping):
            return {self._scrub.line(str(k)): self._clean(v, str(k)) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item, key) for item in value]
        return "\n".join(self._scrub.lines(str(value)))


def _local_time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="seconds")
