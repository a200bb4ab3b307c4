"""Taking forms: as many a second as a minimal view, and as fast while Redis or amoCRM fail.

Each side is a web server of its own; a process of its own posts to one after another in short
rounds, so that a busy machine is equally busy for all of them.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks.ground import PROJECT, Ground, process, served
from benchmarks.table import Row, Section, milliseconds
from benchmarks.timing import Timing
from config.celery import WORKER_OPTIONS
from leads.models import Submission
from tests.servers import PostgresServer, RedisServer, free_port

ROUNDS = 8
SECONDS = 1.5
_PATH = "/api/landing/proftest"
_MINIMAL = {"DJANGO_SETTINGS_MODULE": "benchmarks.minimal_settings"}


@dataclass
class Side:
    """A web server, and what its rounds took."""

    name: str
    url: str
    taken: list[Timing] = field(default_factory=list)

    def post(self) -> None:
        """One round."""
        command = [sys.executable, "-m", "benchmarks.load", self.url + _PATH, str(SECONDS)]
        done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
        self.taken.append(Timing(tuple(json.loads(done.stdout))))

    def a_second(self) -> Row:
        """How many were taken in the median round."""
        rates = [len(each.seconds) / SECONDS for each in self.taken]
        note = f"{min(rates):.0f} to {max(rates):.0f}"
        return Row(self.name, statistics.median(rates), "a second", note=note)

    def median(self) -> Row:
        """What half of the answers took at most."""
        return milliseconds(f"{self.name}: median", self._all().median)

    def p99(self) -> Row:
        """What 99 of 100 answers took at most."""
        return milliseconds(f"{self.name}: p99", self._all().percentile(99))

    def _all(self) -> Timing:
        return sum(self.taken, Timing(()))


def beside_a_minimal_view(place: Ground) -> list[Section]:
    """The service and the least that REST framework needs, on SQLite and on PostgreSQL."""
    sections = [_compared(place, "SQLite", {})]
    postgres = PostgresServer()
    try:
        postgres.start()
        database = {"DATABASE_URL": postgres.url}
        with process(("manage", "migrate", "-v0"), place.folder / "migrate.log", database) as run:
            run.wait()
        sections.append(_compared(place, "PostgreSQL", database))
    finally:
        postgres.discard()
    return sections


def while_others_fail(place: Ground) -> Section:
    """The service by itself: all well, Redis refusing and frozen, amoCRM silent."""
    frozen = RedisServer()
    frozen.start()
    with ExitStack() as stack:
        stack.callback(frozen.discard)
        nobody = f"redis://127.0.0.1:{free_port()}/0"
        calm = _side(stack, place, "all well")
        others = [
            _side(stack, place, "Redis refuses", {"REDIS_URL": nobody}),
            _side(stack, place, "Redis frozen", {"REDIS_URL": frozen.url()}),
            stack.enter_context(_with_a_silent_crm(place)),
        ]
        frozen.pause()
        _alternate(calm, *others)
    _forget(place)
    medians, p99s = calm.median(), calm.p99()
    rows = [medians, *(one.median().against(medians) for one in others)]
    rows += [p99s, *(one.p99().against(p99s) for one in others)]
    return Section("How long a form takes while others fail", rows)


def _compared(place: Ground, database: str, environment: Mapping[str, str]) -> Section:
    with ExitStack() as stack:
        minimal = _side(stack, place, "a minimal view", {**environment, **_MINIMAL})
        ours = _side(stack, place, "the service", environment)
        _alternate(minimal, ours)
    _forget(place)
    baseline = minimal.a_second()
    title = f"Forms taken, 8 connections, {database}: median of {ROUNDS} rounds"
    return Section(title, [baseline, ours.a_second().against(baseline)])


def _side(
    stack: ExitStack, place: Ground, name: str, environment: Mapping[str, str] | None = None
) -> Side:
    # Every sender has an address of its own.
    environment = {"TRUSTED_PROXIES": "1", **(environment or {})}
    return Side(name, stack.enter_context(served(place, environment)))


@contextmanager
def _with_a_silent_crm(place: Ground) -> Iterator[Side]:
    """A worker, too, with threads that wait for a CRM that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as crm, ExitStack() as stack:
        crm.settimeout(60)
        environment = {
            "AMOCRM_BASE_URL": f"http://127.0.0.1:{crm.getsockname()[1]}",
            "REDIS_URL": place.redis.url(2),
            "REDIS_LOCKS_URL": place.redis.url(3),
        }
        side = _side(stack, place, "amoCRM silent", environment)
        worker = ("celery", "-A", "config", "worker", *WORKER_OPTIONS)
        stack.enter_context(process(worker, place.folder / "worker.log", environment))
        side.post()
        side.taken.clear()
        stack.enter_context(crm.accept()[0])  # the worker has begun to wait
        yield side


def _alternate(*sides: Side) -> None:
    for side in sides:
        side.post()  # warm
        side.taken.clear()
    for _ in range(ROUNDS):
        for side in sides:
            side.post()


def _forget(place: Ground) -> None:
    Submission.objects.all().delete()
    place.redis.flush()
