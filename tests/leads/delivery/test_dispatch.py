"""Messages reach Redis while it answers, and hold nobody up when it does not."""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from leads.delivery import dispatch
from leads.delivery.bell import bell
from leads.intake import accept_submission
from leads.models import Submission
from tests.leads.forms import PROFTEST_URL
from tests.servers import RedisServer

#: The half second of a message, and room for a slow machine. kombu's own defaults take minutes.
SOON = 4  # seconds: a worker waits 5 for Redis


def messages_in(redis_server: RedisServer) -> list[datetime]:
    """When the sender of each message that lies in Redis found work, once those rung for are
    there."""
    bell.wait()
    found = []
    client = redis_server.client()
    for key in client.scan_iter():
        if client.type(key) == b"list":
            for raw in client.lrange(key, 0, -1):
                message = json.loads(raw)
                assert message["headers"]["task"] == "leads.tasks.deliver_due"
                (found_at,), _kwargs, _embed = json.loads(base64.b64decode(message["body"]))
                found.append(datetime.fromisoformat(found_at))
    client.close()
    return found


def tell() -> bool:
    """Tell the workers that there is work now; whether it was sent."""
    return dispatch.tell_workers(timezone.now())


def connections_to(redis_server: RedisServer) -> set[str]:
    """The ids of those that are open, without the one that asks."""
    client = redis_server.client()
    own = client.client_id()
    found = {one["id"] for one in client.client_list()} - {str(own)}
    client.close()
    return found


def post_timed(api: APIClient, body: dict[str, Any]) -> float:
    """Seconds until the form was accepted."""
    began = time.monotonic()
    response = api.post(PROFTEST_URL, body, format="json")
    assert response.status_code == 202, response.content
    return time.monotonic() - began


@pytest.mark.django_db(transaction=True)
def test_an_accepted_form_is_told_of_by_when_it_was_due(
    api: APIClient, proftest: dict[str, Any], redis_server: RedisServer
) -> None:
    api.post(PROFTEST_URL, proftest, format="json")
    (found_at,) = messages_in(redis_server)
    assert Submission.objects.get().next_attempt_at <= found_at <= timezone.now()


@pytest.mark.django_db(transaction=True)
def test_when_a_form_is_rung_for_it_is_committed(
    api: APIClient, proftest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_transactions: list[bool] = []

    def look() -> None:
        open_transactions.append(transaction.get_connection().in_atomic_block)

    monkeypatch.setattr(bell, "ring", look)
    api.post(PROFTEST_URL, proftest, format="json")
    assert open_transactions == [False]


def test_a_message_expires_once_no_clock_can_be_so_far_ahead(
    redis_server: RedisServer, settings: Settings
) -> None:
    before = timezone.now()
    assert tell()
    after = timezone.now()
    client = redis_server.client()
    (key,) = (key for key in client.scan_iter() if client.type(key) == b"list")
    (raw,) = client.lrange(key, 0, -1)
    client.close()
    headers = json.loads(raw)["headers"]
    assert headers["eta"] is None
    told_at = datetime.fromisoformat(headers["expires"]) - timedelta(
        seconds=settings.SETTLE_SECONDS + 60
    )
    assert before <= told_at <= after


@pytest.mark.django_db(transaction=True)
def test_a_form_is_not_accepted_within_somebodys_transaction(
    redis_server: RedisServer,
) -> None:
    """It would not be committed when the caller is told that it is."""
    data = {"name": "Test User", "phone": "+77771112233"}
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        accept_submission(form="express", data=data, named=(), idempotency_key=None)
    assert Submission.objects.count() == 0
    assert messages_in(redis_server) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trouble", ["refuses", "is frozen", "is frozen once connected"])
def test_a_form_is_accepted_soon_while_redis(
    api: APIClient, proftest: dict[str, Any], redis_server: RedisServer, trouble: str
) -> None:
    if trouble == "refuses":
        redis_server.kill()
    else:
        if trouble == "is frozen once connected":
            post_timed(api, proftest)
        redis_server.pause()
    before = Submission.objects.count()

    first, second = post_timed(api, proftest), post_timed(api, proftest)

    assert max(first, second) < SOON
    assert Submission.objects.filter(status="accepted").count() == before + 2


def test_a_broker_that_failed_is_left_alone_for_ten_seconds(redis_server: RedisServer) -> None:
    assert tell()
    redis_server.kill()
    assert not tell()
    assert not dispatch._kept.is_open
    redis_server.start()
    assert not dispatch.can_tell()
    assert not tell()
    later = time.monotonic() + dispatch.breaker.seconds
    with patch("amocrm.circuit_breaker.time.monotonic", return_value=later):
        assert dispatch.can_tell()
    dispatch.breaker.close()
    assert tell()
    assert len(messages_in(redis_server)) == 1


def test_the_connection_is_kept_and_outlives_a_restart_of_redis(redis_server: RedisServer) -> None:
    assert tell()
    before = connections_to(redis_server)
    assert before
    assert tell()
    assert connections_to(redis_server) == before
    redis_server.kill()
    redis_server.start()
    assert tell()
    assert dispatch.can_tell()


def test_without_redis_nobody_is_told(redis_server: RedisServer, settings: Settings) -> None:
    settings.REDIS_ENABLED = False
    assert not dispatch.can_tell()
    assert not tell()
    assert messages_in(redis_server) == []


def test_whatever_breaks_does_not_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("anything")

    monkeypatch.setattr(dispatch, "_send", broken)
    assert not tell()
    assert not dispatch.can_tell()
