"""A webinar: many people within minutes, delivered together, and the same with everybody alone.

Everything is as in production: web server, Celery worker and beat, five requests a second. The
sandbox allows seven, takes 100 ms for each and 4 ms more for each row of a batch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from amocrm import conf, mirror
from benchmarks.ground import PROJECT, Ground, process, watched
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
GIVE_UP = 120.0  # seconds in which nobody more is delivered, or until the mirror is trusted

CRM = {"rps": 7, "latency": 0.1, "latency_per_row": 0.004, "is_api_filter_enabled": True}
_ENVIRONMENT = {"AMOCRM_MAX_RPS": "5", "TRUSTED_PROXIES": "1"}


@dataclass(frozen=True)
class Service:
    """What runs: where it takes forms, and its processes."""

    url: str
    web: psutil.Process
    worker: psutil.Process


@dataclass(frozen=True)
class Burst:
    """What one of them came to. Times in seconds; ``worker`` and ``web`` are the processor's."""

    people: int
    posting: float
    until_the_last: float
    requests: int
    most_in_a_second: int
    refused: int
    worker: float
    web: float
    posts: Timing
    doubled: int

    def rows(self, alone: Burst) -> list[Row]:
        """Its lines, compared with those of people who came like these, one by one."""
        mine = zip(self._shared(), alone.baselines(), strict=True)
        requests, pace, worker, web = (row.against(baseline) for row, baseline in mine)
        return [
            requests,
            Row("seconds after the last post", self.until_the_last, "s"),
            pace,
            Row("most requests in any second", self.most_in_a_second, "requests"),
            Row("requests refused with 429", self.refused, "requests"),
            worker,
            web,
            milliseconds("a post meanwhile: median", self.posts.median),
            milliseconds("a post meanwhile: p99", self.posts.percentile(99)),
            Row("people with two leads", self.doubled, "people"),
        ]

    def baselines(self) -> list[Row]:
        """What others are compared with."""
        return self._shared("one by one: ")

    def _shared(self, prefix: str = "") -> list[Row]:
        a_second = self.people / (self.posting + self.until_the_last)
        return [
            Row(f"{prefix}requests a person", self.requests / self.people, "requests"),
            Row(f"{prefix}people a second", a_second, "a second"),
            milliseconds(f"{prefix}the worker's own time a person", self.worker / self.people),
            milliseconds(f"{prefix}the web server's own time a form", self.web / self.people),
        ]


def of_a_webinar(place: Ground, *, people: int = PEOPLE, seconds: float = SECONDS) -> list[Section]:
    """New people, and the same ones again, together; a few before them, one by one."""
    _begin_anew(place)
    with _service(place, "off") as service:
        _posted(service, 1, 0.1, "first", first=STRANGERS)  # the account's shape is read and kept
        _wait_for_the_last()
        lone = _lone(service, "alone")
        new_alone = _burst(place, service, ALONE, 1.0, "alone", new=True)
        again_alone = _burst(place, service, ALONE, 1.0, "alone again", new=False)
    _begin_anew(place)
    with _service(place, "auto") as service:
        _earn_trust(service)
        lone_now = _lone(service, "trusted")
        new = _burst(place, service, people, seconds, "new", new=True)
        again = _burst(place, service, people, seconds, "again", new=False)
    _forget(place)
    place.control.config(rps=0, latency=0, latency_per_row=0)
    baseline = milliseconds("BURST=off", lone.median)
    within = f"A webinar: {people:,} people within {seconds:g} s, AMOCRM_MAX_RPS=5"
    return [
        Section(
            f"A lone lead, from its form to its note: median of {LONE}",
            [baseline, milliseconds("BURST=auto", lone_now.median).against(baseline)],
        ),
        Section(f"One by one (BURST=off): {ALONE} people: everybody new", new_alone.baselines()),
        Section(f"{within}: everybody new", new.rows(new_alone)),
        Section(
            f"One by one (BURST=off): {ALONE} people: everybody known", again_alone.baselines()
        ),
        Section(f"{within}: everybody known", again.rows(again_alone)),
    ]


def _lone(service: Service, name: str) -> Timing:
    """New people, each when the one before has been delivered."""
    seconds = []
    for number in range(LONE):
        _posted(service, 1, 0.1, name, first=STRANGERS + 1000 + number)
        _wait_for_the_last()
        newest = Submission.objects.latest("created_at")
        seconds.append(
            ((newest.delivered_at or newest.created_at) - newest.created_at).total_seconds()
        )
    return Timing(tuple(seconds))


@contextmanager
def _service(place: Ground, burst: str) -> Iterator[Service]:
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
            watched(place, environment) as (url, web),
            process(worker, place.folder / f"worker-{burst}.log", environment) as running,
            process(beat, place.folder / f"beat-{burst}.log", environment),
        ):
            yield Service(url, psutil.Process(web.pid), psutil.Process(running.pid))
    finally:
        redis.discard()


def _earn_trust(service: Service) -> None:
    """A few people come by themselves, until the mirror was walked and compared."""
    give_up, visits = time.monotonic() + GIVE_UP, 0
    while mirror.readiness(conf.current()) is not mirror.Readiness.READY:
        if time.monotonic() > give_up:
            raise RuntimeError("the mirror is not trusted")
        visits += 1
        _posted(service, 1, 0.1, "before", first=STRANGERS + visits)  # who is searched for
        _wait_for_the_last()


def _burst(
    place: Ground, service: Service, people: int, seconds: float, name: str, *, new: bool
) -> Burst:
    before, counted = place.control.state(), len(place.control.requests())
    worker, web = _spent(service.worker), _spent(service.web)
    began = time.monotonic()
    posts = _posted(service, people, seconds, name)
    posted = time.monotonic()
    _wait_for_the_last()
    done = time.monotonic()
    after, requests = place.control.state(), place.control.requests()[counted:]
    _check(before, after, notes=people, leads=people if new else 0)
    return Burst(
        people=people,
        posting=posted - began,
        until_the_last=done - posted,
        requests=after["requests"]["total"] - before["requests"]["total"],
        most_in_a_second=_most_in_a_second([one["at"] for one in requests]),
        refused=sum(one["status"] == 429 for one in requests),
        worker=_spent(service.worker) - worker,
        web=_spent(service.web) - web,
        posts=posts,
        doubled=after["people"]["with_two_active_leads"],
    )


def _check(before: dict[str, Any], after: dict[str, Any], *, notes: int, leads: int) -> None:
    """What is said to be delivered is in the CRM: a figure of less would be worth nothing."""
    for what, expected in (("notes", notes), ("leads", leads)):
        if (found := len(after[what]) - len(before[what])) != expected:
            raise RuntimeError(f"{found} {what} more in the CRM, not {expected}")


def _most_in_a_second(moments: list[float]) -> int:
    """The most requests within any second, wherever it begins."""
    ordered = sorted(moments)
    return max(bisect_left(ordered, began + 1.0) - number for number, began in enumerate(ordered))


def _posted(service: Service, people: int, seconds: float, name: str, *, first: int = 0) -> Timing:
    told = (service.url, str(first), str(people), str(seconds), name)
    command = [sys.executable, "-m", "benchmarks.crowd", *told]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    return Timing(tuple(json.loads(done.stdout)))


def _wait_for_the_last() -> None:
    """However long it takes: that is a figure, too. Only where it stops it is none."""
    left, give_up = 0, 0.0
    while rest := Submission.objects.exclude(status=Submission.Status.DELIVERED).count():
        if rest != left:
            left, give_up = rest, time.monotonic() + GIVE_UP
        if time.monotonic() > give_up:
            raise RuntimeError(f"{left} are not delivered, nor anybody more for {GIVE_UP:g} s")
        time.sleep(0.25)


def _spent(process: psutil.Process) -> float:
    """Seconds of the processor until now, of this process and of those that it has begun."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(float(one.user + one.system) for one in times)


def _begin_anew(place: Ground) -> None:
    _forget(place)
    place.control.reset()
    place.control.config(**CRM)


def _forget(place: Ground) -> None:
    from amocrm import ledger

    Submission.objects.all().delete()
    ledger.forget_account(conf.current().account)
    mirror.forget_account(conf.current().account)
    place.redis.flush()
