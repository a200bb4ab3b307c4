"""Accepting a form: what slow senders add to it, and what the disk does."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from contextlib import ExitStack

import requests
from django.db import connection
from django.test.utils import override_settings

from benchmarks.ground import Ground, web_server
from benchmarks.table import Row, Section, milliseconds
from benchmarks.timing import Timing, in_turns, repeat
from config.web.worker import allow_connections
from leads.intake import accept_submission
from leads.models import Submission

POSTS = 100
INSERTS = 100
IDLE, HALF_SENT = 1000, 200
_HALF_A_HEADER = b"POST /api/landing/submit HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le"
_ONE_BYTE = _HALF_A_HEADER + b"ngth: 60\r\nContent-Type: application/json\r\n\r\n{"
ROUNDS = 3
_numbers = itertools.count()


def among_slow_senders(place: Ground) -> Section:
    """``POST`` alone, and while others hold connections on which they send next to nothing."""
    allow_connections()
    with web_server(place), requests.Session() as session, ExitStack() as slow:
        session.trust_env = False
        post = _poster(session, f"{place.web_url}/api/landing/proftest")
        calm = repeat(post, POSTS)
        for many, sent in ((IDLE, b""), (HALF_SENT, _HALF_A_HEADER), (HALF_SENT, _ONE_BYTE)):
            for _ in range(many):
                sender = socket.create_connection(("127.0.0.1", place.web_port), timeout=30)
                slow.enter_context(sender)
                sender.sendall(sent)
        besieged = repeat(post, POSTS)
    _forget()
    baseline = _row("POST, nobody else", calm)
    title = f"A form among {IDLE} idle connections and {2 * HALF_SENT} half-sent ones: median"
    return Section(title, [baseline, _row("POST, among them", besieged).against(baseline)])


def into_sqlite() -> Section:
    """The row alone, in this process, no worker is told: SQLite as configured, and less careful."""

    def accept(synchronous: str) -> Callable[[], object]:
        def work() -> object:
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA synchronous={synchronous}")
            return _accept()

        return work

    with override_settings(REDIS_ENABLED=False):
        normal, full = in_turns((accept("NORMAL"), accept("FULL")), rounds=ROUNDS, times=INSERTS)
    _forget()
    baseline = _row("synchronous=NORMAL", normal)
    configured = _row("synchronous=FULL (as configured)", full).against(baseline)
    title = f"One submission committed to SQLite: median of {ROUNDS * INSERTS}"
    return Section(title, [baseline, configured])


def _poster(session: requests.Session, url: str) -> Callable[[], None]:
    def post() -> None:
        answer = session.post(url, json=_form(), timeout=30)
        if answer.status_code != 202:
            raise RuntimeError(f"{answer.status_code}: {answer.text[:200]}")

    return post


def _form() -> dict[str, object]:
    number = next(_numbers)
    return {
        "name": "Test User",
        "email": f"person{number}@bench.example",
        "phone": f"+7701{number:07d}",
        "proftestAnswers": [],
    }


def _accept() -> object:
    number = next(_numbers)
    data = {"name": "Test User", "email": f"person{number}@bench.example", "phone": "+77770000000"}
    return accept_submission(form="proftest", data=data, named=(), idempotency_key=None)


def _row(name: str, timing: Timing) -> Row:
    return milliseconds(name, timing.median, note=f"worst {timing.worst * 1000:,.0f}")


def _forget() -> None:
    Submission.objects.all().delete()
