"""The whole service in processes of its own: sandbox, Redis, database, web, workers, beat."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from amocrm.sandbox.control_client import SandboxControl
from config.celery import WORKER_OPTIONS
from tests.chaos.children import PROJECT, Child, listens
from tests.chaos.rows import Rows
from tests.chaos.scale import TOKEN, Scale, settings
from tests.servers import PostgresServer, RedisServer, free_port
from tests.waiting import wait_until

Freeze = dict[str, str]
# `manage.py check` is not what a run is about, and many processes start in it.
_CELERY = ("celery", "-q", "--skip-checks", "-A", "config")
_WORKER = (*_CELERY, "worker", *WORKER_OPTIONS)


class Stack:
    """Everything that runs. Use as a context manager, in the thread that starts the processes.

    ``redis=False`` is ``REDIS_ENABLED=false``: the workers are ``deliver_leads --watch`` then.
    ``template`` is a prepared SQLite file to begin with.
    """

    def __init__(
        self,
        scale: Scale,
        *,
        database: str = "sqlite",
        redis: bool = True,
        workers: int = 4,
        threads: int = 4,
        index_lag: float = 0.5,
        rps: int = 0,
        template: Path | None = None,
    ) -> None:
        self.scale = scale
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.index_lag = index_lag
        self.keep_folder = False
        self._template = template
        self._threads = threads
        self.redis = RedisServer() if redis else None
        self.postgres = PostgresServer() if database == "postgres" else None
        self.web_url = f"http://127.0.0.1:{free_port()}"
        self.crm_url = f"http://127.0.0.1:{free_port()}"
        self.control = SandboxControl(self.crm_url)
        crm = ("-m", "amocrm.sandbox", "--port", self.crm_url.rpartition(":")[2])
        self.sandbox = Child(
            "sandbox", (*crm, "--index-lag", str(index_lag), "--rps", str(rps)), {}, self.folder
        )
        self.web = self.beat = self.sandbox  # until there is a database
        self.workers: list[Child] = []
        self._wanted_workers = workers
        self.rows: Rows

    def start(self) -> None:
        """Start everything and wait until it serves."""
        self.sandbox.start()
        if self.redis:
            self.redis.start()
        self._prepare_database()
        self.web = self._child(
            "web", ("-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi")
        )
        self.web.start()
        self.workers = [
            self.worker(f"worker-{number}", skew=self.scale.skew if number == 0 else 0)
            for number in range(self._wanted_workers)
        ]
        for worker in self.workers:
            worker.start()
        if self.redis:
            schedule = ("--schedule", str(self.folder / "beat-schedule"))
            self.beat = self._child("beat", ("-m", *_CELERY, "beat", *schedule))
            self.beat.start()
        self._web_listens()
        wait_until(lambda: listens(int(self.crm_url.rpartition(":")[2])), "the sandbox listens")
        for worker in self.workers:
            wait_until(lambda child=worker: self.is_ready(child), f"{worker.name} is ready")  # type: ignore[misc]

    def worker(self, name: str, *, skew: float = 0, freeze: Sequence[Freeze] = ()) -> Child:
        """A worker, not started yet: Celery's, or without Redis ``deliver_leads``."""
        rigs: dict[str, str] = {}
        if skew:
            rigs["CHAOS_SKEW"] = str(skew)
        if freeze:
            rigs["CHAOS_FREEZE"] = json.dumps(list(freeze))
        command: tuple[str, ...]
        if self.redis:
            command = (*_WORKER, "--concurrency", str(self._threads))
        else:
            command = ("manage", "deliver_leads", "--skip-checks", "--watch", "0.3")
        if rigs:
            return self._child(name, ("-m", "tests.chaos.rigged", *command), rigs)
        plain = ("-m", *command) if self.redis else (str(PROJECT / "manage.py"), *command[1:])
        return self._child(name, plain)

    def is_ready(self, worker: Child) -> bool:
        """Whether a worker takes work."""
        if not worker.is_running:
            raise RuntimeError(f"{worker.name} ended: see its log in {self.folder}")
        return worker.wrote(" ready." if self.redis else "Delivering what is due")

    def restart_web(self) -> None:
        """A web server that remembers nothing."""
        self.web.kill()
        # The kernel ends its workers a moment later; until then they keep the port open.
        wait_until(lambda: not listens(self._web_port), "the old web server is gone")
        self.web.start()
        self._web_listens()

    @property
    def _web_port(self) -> int:
        return int(self.web_url.rpartition(":")[2])

    def _web_listens(self) -> None:
        wait_until(lambda: listens(self._web_port), "the web server listens")

    def manage(self, *arguments: str) -> str:
        """The output of a management command."""
        return self._child(arguments[0], (str(PROJECT / "manage.py"), *arguments)).run()

    def clear_locks(self) -> int:
        """Clear every lock through the operators' endpoint; how many. -1 if it did not answer.

        It may be waiting for a process that our caller has to thaw: so not for long.
        """
        try:
            answer = requests.delete(
                f"{self.web_url}/api/admin/amocrm-locks",
                headers={"Authorization": f"Token {TOKEN}"},
                timeout=3,
            )
            return int(answer.json().get("deleted", -1))
        except (requests.RequestException, ValueError):
            return -1

    def locks(self) -> list[str]:
        """The locks that are held now."""
        if self.redis is None:
            return []
        client = self.redis.client(1)
        try:
            return [key.decode() for key in client.scan_iter("lock:amocrm:lead:*", count=1000)]
        finally:
            client.close()

    def discard(self) -> None:
        """End every process and remove every file, unless ``keep_folder``."""
        for child in [self.beat, *self.workers, self.web, self.sandbox]:
            child.kill()
        if hasattr(self, "rows"):
            self.rows.close()
        self.control.close()
        for server in (self.redis, self.postgres):
            if server:
                server.discard()
        if not self.keep_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()

    def _prepare_database(self) -> None:
        if self.postgres:
            self.postgres.start()
        elif self._template:
            shutil.copy(self._template, self.folder / "db.sqlite3")
        if self.postgres or not self._template:
            self._child("prepare", ("-m", "tests.chaos.prepare")).run()
        self.rows = Rows(self._database_url)

    @property
    def _database_url(self) -> str:
        return self.postgres.url if self.postgres else f"sqlite:///{self.folder / 'db.sqlite3'}"

    def _child(
        self, name: str, command: Sequence[str], more: dict[str, str] | None = None
    ) -> Child:
        environment = settings(
            self.scale,
            database=self._database_url,
            redis=self.redis.url(0).removesuffix("/0") if self.redis else None,
            crm=self.crm_url,
            port=self._web_port,
        )
        return Child(name, command, {**environment, **(more or {})}, self.folder)
