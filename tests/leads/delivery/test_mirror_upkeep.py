"""The mirror is walked before the night, and does not fall behind."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, mirror
from amocrm.api import pause
from amocrm.identity import IdentityKey
from amocrm.models import MirrorState, Reminder
from amocrm.sandbox.server import RunningSandbox
from leads import tasks
from leads.delivery import mirror_upkeep
from leads.delivery.mirror_upkeep import look_after_mirror, tell_a_worker
from leads.management.commands import deliver_leads
from tests.leads.test_deliver_leads import Watching, passes, run
from tests.leads.test_deliver_leads import watching as watching
from tests.servers import RedisServer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class Told:
    """Sees to a walk, or does not; how often it was asked."""

    def __init__(self, *, does: bool = True) -> None:
        self.does, self.times = does, 0

    def __call__(self) -> bool:
        self.times += 1
        return self.does


@pytest.fixture(autouse=True)
def _on(settings: Settings) -> None:
    settings.BURST = "auto"


@pytest.fixture
def told() -> Told:
    return Told()


def messages_in(redis_server: RedisServer) -> list[dict[str, Any]]:
    """The headers of every message that lies in Redis."""
    client = redis_server.client()
    lists = [key for key in client.scan_iter() if client.type(key) == b"list"]
    found = [json.loads(raw)["headers"] for key in lists for raw in client.lrange(key, 0, -1)]
    client.close()
    return found


def walk() -> None:
    """A whole mirror, at which nobody is."""
    call_command("find_duplicate_leads", "--json")
    MirrorState.objects.update(walking_at=None)


def test_somebody_is_told_once_to_walk(told: Told, sandbox: RunningSandbox) -> None:
    for _ in range(3):
        look_after_mirror(told)
    assert told.times == 1
    MirrorState.objects.update(walking_at=timezone.now() - timedelta(minutes=31))
    look_after_mirror(told)
    assert told.times == 2


def test_who_could_not_be_told_is_told_the_next_time() -> None:
    told = Told(does=False)
    for _ in range(2):
        look_after_mirror(told)
    assert told.times == 2


def test_switched_off_or_paused_nobody_is_told(told: Told, settings: Settings) -> None:
    settings.BURST = "off"
    look_after_mirror(told)
    settings.BURST = "auto"
    pause.begin(conf.current().account, "token", "The token was revoked")
    look_after_mirror(told)
    assert told.times == 0


def test_every_ten_minutes_the_mirror_is_brought_up_to_date(
    told: Told, sandbox: RunningSandbox
) -> None:
    walk()

    def read_at() -> Any:
        return MirrorState.objects.get().read_at

    before = read_at()
    sandbox.control.advance(60)
    look_after_mirror(told)
    first = read_at()
    assert first > before
    sandbox.control.advance(60)
    look_after_mirror(told)
    assert read_at() == first
    Reminder.objects.update(said_at=timezone.now() - timedelta(minutes=10))
    look_after_mirror(told)
    assert read_at() > first
    assert told.times == 0


def test_trouble_stops_nobody_who_delivers(
    sandbox: RunningSandbox,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    walk()
    sandbox.control.fault("answer", path=".*/contacts", status=502, times=-1)
    look_after_mirror(told)

    def broken(*_: Any) -> bool:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(mirror, "take_walk", broken)
    look_after_mirror(told)
    assert "502" in caplog.text
    assert "the disk is full" in caplog.text


@pytest.mark.needs_redis
def test_a_sweep_asks_the_workers_for_the_census(
    redis_server: RedisServer, sandbox: RunningSandbox
) -> None:
    tasks.sweep()
    tasks.sweep()
    (message,) = messages_in(redis_server)
    assert message["task"] == tasks.find_duplicate_leads.name
    assert message["expires"] is not None


@pytest.mark.needs_redis
def test_a_broker_that_does_not_answer_is_no_error(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    redis_server.stop()
    assert not tell_a_worker()
    assert "No worker could be asked" in caplog.text
    look_after_mirror(tell_a_worker)
    redis_server.start()
    look_after_mirror(tell_a_worker)
    assert len(messages_in(redis_server)) == 1


def test_watching_looks_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(deliver_leads, "look_after_mirror", seen.append)
    passes(monkeypatch, Counter(), Counter())
    run(watch=0.1)
    assert seen == [mirror_upkeep.walk_beside] * 2


@pytest.mark.both_databases
def test_a_watching_process_walks_beside_its_deliveries(
    watching: Watching, sandbox: RunningSandbox
) -> None:
    (anna,) = sandbox.control.seed(contacts=[{"emails": ["anna@x.kz"]}])["contacts"]
    watching("0.2", REDIS_ENABLED="false", BURST="auto")
    wait_until(
        lambda: MirrorState.objects.filter(walked_at__isnull=False).exists(), "the mirror is whole"
    )
    key = IdentityKey("email", "anna@x.kz")
    assert mirror.contacts_with(conf.current().account, [key]) == {anna}


def test_a_walk_beside_that_fails_ends_with_a_line_in_the_log(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AMOCRM_ACCESS_TOKEN = "no token"
    mirror_upkeep.walk_beside()
    for thread in threading.enumerate():
        if thread.name == "mirror":
            thread.join()
    assert "could not be walked" in caplog.text
