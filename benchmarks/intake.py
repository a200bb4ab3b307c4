"""Accepting a form: what it costs, and what a broken Redis adds to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import requests
from django.db import connection
from django.test.utils import override_settings

from benchmarks.ground import Ground, web_server
from benchmarks.table import Row, Section, milliseconds
from benchmarks.timing import Timing, in_turns, repeat
from leads.intake import accept_submission
from leads.models import Submission

POSTS = 100
INSERTS = 100
ROUNDS = 3
_numbers = itertools.count()


def over_http(place: Ground) -> Section:
    """``POST`` to a running web server with Redis well, refusing and frozen."""
    well = _posts(place, lambda: None)
    refusing = _posts(place, place.redis.stop)
    place.redis.start()
    try:
        frozen = _posts(place, place.redis.pause)
    finally:
        place.redis.resume()
    place.redis.flush()
    _forget()
    baseline = _row("POST, Redis healthy", well)
    others = (_row("POST, Redis refuses", refusing), _row("POST, Redis frozen", frozen))
    rows = [baseline, *(row.against(baseline) for row in others)]
    return Section(f"A form over HTTP: median of {POSTS}, the worst beside it", rows)


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


def _posts(place: Ground, break_redis: Callable[[], None]) -> Timing:
    """A web server of its own each time: one that met a broken Redis leaves it alone a while.

    Redis breaks after the first ``POST``, so the first one that meets that is among the timed.
    """
    with web_server(place), requests.Session() as session:
        session.trust_env = False
        post = _poster(session, f"{place.web_url}/api/landing/proftest")
        post()
        break_redis()
        return repeat(post, POSTS, warm_up=False)


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
    return accept_submission(
        form=Submission.Form.PROFTEST, data=data, named=(), idempotency_key=None
    )


def _row(name: str, timing: Timing) -> Row:
    return milliseconds(name, timing.median, note=f"worst {timing.worst * 1000:,.0f}")


def _forget() -> None:
    Submission.objects.all().delete()
