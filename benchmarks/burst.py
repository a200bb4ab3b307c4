"""A webinar: many people within minutes, delivered together, and the same with everybody alone.

Everything is as in production: web server, Celery worker and beat, five requests a second. The
sandbox allows seven, takes 100 ms for each and 4 ms more for each row of a batch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from amocrm import conf, mirror
from benchmarks.ground import PROJECT, Ground, process, served
from benchmarks.table import Row, Section, milliseconds
from benchmarks.timing import Timing
from config.celery import WORKER_OPTIONS
from leads.models import Submission
from tests.servers import RedisServer

# As many a second as the 3,000 within three minutes that a webinar brings.
PEOPLE, SECONDS = 600, 36.0
ALONE = 20  # people for whom it is measured how it goes one by one
LONE = 7  # leads that come when nothing else does
STRANGERS = 900_000  # the number of the first one who comes before the crowd
GIVE_UP = 120.0  # seconds

CRM = {"rps": 7, "latency": 0.1, "latency_per_row": 0.004, "is_api_filter_enabled": True}
_ENVIRONMENT = {"AMOCRM_MAX_RPS": "5", "TRUSTED_PROXIES": "1"}


@dataclass(frozen=True)
class Burst:
    """What one of them came to. Times in seconds; ``worker`` is the processor's time."""

    people: int
    posting: float
    until_the_last: float
    requests: int
    worker: float
    posts: Timing
    doubled: int
    most_in_a_second: int

    def rows(self, alone: Burst) -> list[Row]:
        """Its lines, compared with everybody alone."""
        took = self.posting + self.until_the_last
        return [
            self._requests(self.people).against(alone._requests(alone.people)),
            Row("seconds after the last post", self.until_the_last, "s"),
            Row("people a second", self.people / took, "a second").against(alone.pace()),
            Row("most requests in any second", self.most_in_a_second, "requests"),
            self._own().against(alone._own()),
            milliseconds("a post meanwhile: median", self.posts.median),
            milliseconds("a post meanwhile: p99", self.posts.percentile(99)),
            Row("people with two leads", self.doubled, "people"),
        ]

    def baselines(self) -> list[Row]:
        """What others are compared with."""
        return [self._requests(self.people), self.pace(), self._own()]

    def pace(self) -> Row:
        """How many people a second."""
        return Row(
            "one by one: people", self.people / (self.posting + self.until_the_last), "a second"
        )

    def _requests(self, people: int) -> Row:
        return Row("requests a person", self.requests / people, "requests")

    def _own(self) -> Row:
        return milliseconds("own time of the worker, a person", self.worker / self.people)


def of_a_webinar(place: Ground, *, people: int = PEOPLE, seconds: float = SECONDS) -> list[Section]:
    """New people, and the same ones again, together; some beside them one by one."""
    place.control.reset()
    place.control.config(**CRM)
    alone, lone = _alone(place)
    with _service(place, "auto") as (url, worker):
        _earn_trust(url)
        lone_now = _lone(url, "trusted")
        new = _burst(place, url, worker, people, seconds, "new")
        again = _burst(place, url, worker, people, seconds, "again")
    _forget(place)
    place.control.config(rps=0, latency=0, latency_per_row=0)
    within = f"{people:,} people within {seconds:g} s, AMOCRM_MAX_RPS=5"
    baseline = milliseconds("BURST=off", lone.median)
    return [
        Section(
            f"A lone lead, from its form to its note: median of {LONE}",
            [baseline, milliseconds("BURST=auto", lone_now.median).against(baseline)],
        ),
        Section(f"One by one (BURST=off): {ALONE} new people", alone.baselines()),
        Section(f"A webinar: {within}: everybody new", new.rows(alone)),
        Section(f"A webinar: {within}: everybody known", again.rows(alone)),
    ]


def _alone(place: Ground) -> tuple[Burst, Timing]:
    with _service(place, "off") as (url, worker):
        _posted(url, 1, 0.1, "first", first=STRANGERS)  # the account's shape is read once and kept
        _wait_for_the_last()
        lone = _lone(url, "alone")
        measured = _burst(place, url, worker, ALONE, 1.0, "alone")
    _forget(place)
    place.control.reset()
    place.control.config(**CRM)
    return measured, lone


def _lone(url: str, name: str) -> Timing:
    """New people, each when the one before has been delivered."""
    seconds = []
    for number in range(LONE):
        _posted(url, 1, 0.1, name, first=STRANGERS + 1000 + number)
        _wait_for_the_last()
        newest = Submission.objects.latest("created_at")
        seconds.append(
            ((newest.delivered_at or newest.created_at) - newest.created_at).total_seconds()
        )
    return Timing(tuple(seconds))


@contextmanager
def _service(place: Ground, burst: str) -> Iterator[tuple[str, psutil.Process]]:
    redis = RedisServer()
    redis.start()
    try:
        environment = {
            **_ENVIRONMENT,
            "BURST": burst,
            "REDIS_URL": redis.url(0),
            "REDIS_LOCKS_URL": redis.url(1),
        }
        worker = ("celery", "-A", "config", "worker", *WORKER_OPTIONS)
        schedule = str(place.folder / f"schedule-{burst}")
        beat = ("celery", "-A", "config", "beat", "--schedule", schedule)
        with (
            served(place, environment) as url,
            process(worker, place.folder / f"worker-{burst}.log", environment) as running,
            process(beat, place.folder / f"beat-{burst}.log", environment),
        ):
            yield url, psutil.Process(running.pid)
    finally:
        redis.discard()


def _earn_trust(url: str) -> None:
    """A few people come by themselves, until the mirror was walked and compared."""
    give_up, visits = time.monotonic() + GIVE_UP, 0
    while mirror.readiness(conf.current()) is not mirror.Readiness.READY:
        if time.monotonic() > give_up:
            raise RuntimeError("the mirror is not trusted")
        visits += 1
        _posted(url, 1, 0.1, "before", first=STRANGERS + visits)  # who is searched for
        _wait_for_the_last()


def _burst(
    place: Ground, url: str, worker: psutil.Process, people: int, seconds: float, name: str
) -> Burst:
    before, spent = place.control.state()["requests"]["total"], _spent(worker)
    began = time.monotonic()
    posts = _posted(url, people, seconds, name)
    posted = time.monotonic()
    _wait_for_the_last()
    done = time.monotonic()
    state = place.control.state()
    return Burst(
        people=people,
        posting=posted - began,
        until_the_last=done - posted,
        requests=state["requests"]["total"] - before,
        worker=_spent(worker) - spent,
        posts=posts,
        doubled=state["people"]["with_two_active_leads"],
        most_in_a_second=state["requests"]["max_per_second"],
    )


def _posted(url: str, people: int, seconds: float, name: str, *, first: int = 0) -> Timing:
    told = (url, str(first), str(people), str(seconds), name)
    command = [sys.executable, "-m", "benchmarks.crowd", *told]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    return Timing(tuple(json.loads(done.stdout)))


def _wait_for_the_last() -> None:
    give_up = time.monotonic() + GIVE_UP
    while Submission.objects.exclude(status=Submission.Status.DELIVERED).exists():
        if time.monotonic() > give_up:
            raise RuntimeError("not everybody was delivered")
        time.sleep(0.25)


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _forget(place: Ground) -> None:
    from amocrm import ledger

    Submission.objects.all().delete()
    ledger.forget_account(conf.current().account)
    mirror.forget_account(conf.current().account)
    place.redis.flush()
