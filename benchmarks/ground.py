"""What is measured on: a Redis, a sandbox amoCRM and a SQLite file of their own.

Use :func:`ground` before Django's settings load: they are read from the environment it sets.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from amocrm.sandbox.control_client import SandboxControl
from tests.servers import RedisServer, end_with_parent, free_port

PROJECT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Ground:
    """``control`` looks into the sandbox; ``redis`` can be stopped, frozen and started again."""

    folder: Path
    redis: RedisServer
    control: SandboxControl
    web_port: int

    @property
    def web_url(self) -> str:
        """Where :func:`web_server` serves."""
        return f"http://127.0.0.1:{self.web_port}"


@contextmanager
def ground() -> Iterator[Ground]:
    """Start everything but the web server, and prepare Django; at the end nothing is left."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis = RedisServer()
        stack.callback(redis.discard)
        redis.start()
        crm_port, web_port = free_port(), free_port()
        os.environ.update(_environment(folder, redis, crm_port, web_port))
        # No lag and no limit: what is measured is this service, not how slow a CRM may be.
        options = ("--port", str(crm_port), "--index-lag", "0", "--rps", "0")
        log = folder / "crm.log"
        sandbox = stack.enter_context(process(("amocrm.sandbox", *options), log))
        _wait_for(crm_port, sandbox, log)
        control = SandboxControl(f"http://127.0.0.1:{crm_port}")
        stack.callback(control.close)
        _prepare_django(folder)
        stack.callback(_close_connections)
        yield Ground(folder, redis, control, web_port)


@contextmanager
def web_server(place: Ground) -> Iterator[None]:
    """gunicorn, as in production."""
    with _gunicorn(place, place.web_port, {}):
        yield


@contextmanager
def served(place: Ground, environment: Mapping[str, str]) -> Iterator[str]:
    """Another one, with some settings of its own; where it serves."""
    with watched(place, environment) as (url, _):
        yield url


@contextmanager
def watched(
    place: Ground, environment: Mapping[str, str]
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The same, and gunicorn's first process: its children are those that serve."""
    port = free_port()
    with _gunicorn(place, port, {**environment, "PORT": str(port)}) as running:
        yield f"http://127.0.0.1:{port}", running


@contextmanager
def _gunicorn(
    place: Ground, port: int, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    command = ("gunicorn", "-c", "python:config.gunicorn", "config.wsgi")
    log = place.folder / f"web-{port}.log"
    with process(command, log, environment) as running:
        _wait_for(port, running, log)
        yield running


@contextmanager
def process(
    module: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m module…`` until the end of the block."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent(),
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def _wait_for(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while running.poll() is None and time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing listens on {port}: {log.read_text('utf-8', 'replace')[-1000:]}")


def _environment(folder: Path, redis: RedisServer, crm_port: int, web_port: int) -> dict[str, str]:
    """Every variable whose value matters here, so that nobody's ``env.env`` decides."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "a secret key for the benchmarks alone, of more than fifty characters",
        "DEBUG": "false",
        "ALLOWED_HOSTS": "127.0.0.1",
        "PORT": str(web_port),
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "REDIS_ENABLED": "true",
        "REDIS_URL": redis.url(0),
        "REDIS_LOCKS_URL": redis.url(1),
        "AMOCRM_BASE_URL": f"http://127.0.0.1:{crm_port}",
        "AMOCRM_ACCESS_TOKEN": "sandbox-token",
        "AMOCRM_PIPELINE_ID": "3177727",
        "AMOCRM_STATUS_PROFTEST": "32392165",
        "AMOCRM_STATUS_EXPRESSCOURSE": "32392168",
        "AMOCRM_STATUS_KASPI": "32392171",
        "AMOCRM_STATUS_CARD": "32392174",
        "AMOCRM_STATUS_MANAGER": "32392177",
        "AMOCRM_MAX_RPS": "10000",
        "AMOCRM_TIMEOUT": "20",
        "LOCK_TTL": "60",
        "LOCK_WAIT": "2",
        "SETTLE_SECONDS": "300",
        "PHONE_REGION": "KZ",
        "PHONE_SEARCH": "digits",
        "IGNORED_IDENTITIES": "",
        "PERSON_MAX_IDENTITIES": "5",
        "IDENTITY_MAX_PEOPLE": "5",
        "LANDING_ALLOWED_ORIGINS": "",
        "LANDING_THROTTLE": "1000000/min",
        "PERSON_THROTTLE": "1000000/min",
        "TRUSTED_PROXIES": "0",
        "LOG_FORMAT": "console",
        "LOG_PII": "full",
    }


def _prepare_django(folder: Path) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    # Log lines are a part of the work, but not of the table.
    output = (folder / "bench.log").open("w", encoding="utf-8")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(output)
    call_command("migrate", verbosity=0, interactive=False)


def _close_connections() -> None:
    from django.db import connections

    connections.close_all()
