"""The status: coarse for anybody, whole for those who may, and never all is well when it is not."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from amocrm import conf, counters, mirror
from amocrm.counters import Event
from amocrm.locks import health
from amocrm.models import AccountState, MirrorState
from amocrm.sandbox.server import RunningSandbox
from leads.delivery import attempt
from leads.models import Submission
from locks_admin.monitor import alerts, stats
from tests.locks_admin.api.test_views import client
from tests.locks_admin.conftest import LIST, PAGE, Locks, person
from tests.round_trips import round_trips
from tests.servers import RedisServer

URL = f"{LIST}/status"
MONITORING = "a-token-for-monitoring"
OPEN_KEYS = {"success", "system", "deliveries", "requests_per_second", "message", "timestamp"}
OPEN_DELIVERIES = {
    "due",
    "failed",
    "oldest_due_seconds",
    "undelivered",
    "oldest_undelivered_seconds",
    "burst",
    "paused",
}


def paused(settings: Settings, now: datetime, reason: str = "the token is not valid") -> None:
    """Let the account be paused."""
    AccountState.objects.create(
        account=settings.AMOCRM_BASE_URL.removeprefix("http://"),
        paused_since=now,
        pause_kind="token",
        pause_reason=reason,
        next_probe_at=now,
    )


def undelivered(seconds: float, **values: Any) -> None:
    """A submission that was accepted so long ago and waits for its next try."""
    now = timezone.now()
    Submission.objects.create(
        form_id="express",
        name="N",
        created_at=now - timedelta(seconds=seconds),
        next_attempt_at=now + timedelta(hours=1),
        **values,
    )


def monitoring(token: str = MONITORING, scheme: str = "Bearer") -> APIClient:
    """A client that sends a token of monitoring."""
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"{scheme} {token}")
    return api


def test_status_is_open_and_has_the_documented_keys(locks: Locks) -> None:
    locks.put()
    answer = client().get(f"{LIST}/status")
    body = answer.json()
    assert answer.status_code == 200
    assert body["success"] is True
    assert body["system"] == {
        "redis_connected": True,
        "redis_available": True,
        "locks_enabled": True,
        "active_locks": 1,
    }
    assert body["message"] == "✅ Lock system operational"
    assert set(body) == OPEN_KEYS
    assert set(body["deliveries"]) == OPEN_DELIVERIES
    assert "test@onai.academy" not in answer.content.decode()


def test_status_without_redis_is_still_200_and_says_so(redis_server: RedisServer, db: None) -> None:
    redis_server.stop()
    answer = client().get(f"{LIST}/status")
    assert answer.status_code == 200
    assert answer.json()["system"] == {
        "redis_connected": False,
        "redis_available": False,
        "locks_enabled": True,
        "active_locks": 0,
    }
    assert answer.json()["message"].startswith("⚠️ Redis not connected")


def test_status_with_redis_disabled_says_so(settings: Settings, db: None) -> None:
    settings.REDIS_ENABLED = False
    body = client().get(f"{LIST}/status").json()
    assert body["system"]["locks_enabled"] is False
    assert "REDIS_ENABLED" in body["message"]


def test_status_and_page_warn_of_a_token_that_ends_within_thirty_days(
    settings: Settings, viewer: User
) -> None:
    def token(days: int) -> str:
        claims = {"exp": int((timezone.now() + timedelta(days=days)).timestamp())}
        middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"e30.{middle}.signature"

    settings.AMOCRM_ACCESS_TOKEN = token(31)
    assert client(viewer).get(f"{LIST}/status").json()["token_warning"] is None

    settings.AMOCRM_ACCESS_TOKEN = token(29)
    assert client(viewer).get(f"{LIST}/status").json()["token_warning"]
    found = alerts.find(health.check(), stats.deliveries(), [], counted=counters.totals())
    assert "token" in [alert.code for alert in found]


def test_status_counts_deliveries_and_tells_of_a_pause(settings: Settings, viewer: User) -> None:
    now = timezone.now()
    for status in ("accepted", "accepted", "failed", "delivered"):
        Submission.objects.create(
            form_id="express",
            name="N",
            status=status,
            next_attempt_at=now - timedelta(seconds=90),
        )
    paused(settings, now)
    found = client(viewer).get(f"{LIST}/status").json()["deliveries"]
    assert (found["due"], found["failed"]) == (2, 1)
    assert 85 <= found["oldest_due_seconds"] <= 120
    assert found["paused"]["reason"] == "the token is not valid"
    assert found["paused"]["until"].endswith("Z")


def test_status_says_whether_leads_are_sent_together(settings: Settings, db: None) -> None:
    def burst() -> str:
        found: str = client().get(URL).json()["deliveries"]["burst"]
        return found

    assert burst() == "off"
    settings.BURST = "auto"
    assert burst() == "learning"
    mirror.Walk(conf.current())
    MirrorState.objects.update(walked_at=timezone.now(), comparisons=3)
    assert burst() == "ready"
    mirror.distrust(conf.current().account, "a lie")
    assert burst() == "distrusted"


# --- who sees what -------------------------------------------------------------------------------


@pytest.fixture
def told(settings: Settings, db: None) -> None:
    """Everything that says something of somebody."""
    settings.METRICS_TOKEN = MONITORING
    paused(settings, timezone.now(), "a@b.kz may not be touched")
    counters.count(Event.MERGED)
    counters.count(Event.STAGE_MISSING)
    undelivered(90, reason="no answer about a@b.kz")


@pytest.mark.usefixtures("told")
def test_anybody_gets_no_more_than_coarse_figures() -> None:
    for anybody in (client(), client(person("stepan")), client(person("out", staff=False))):
        body = anybody.get(URL).json()
        assert set(body) == OPEN_KEYS
        assert set(body["deliveries"]) == OPEN_DELIVERIES
        assert set(body["deliveries"]["paused"]) == {"kind", "since", "until"}
        assert body["requests_per_second"]["now"] is None
        assert body["requests_per_second"]["limit"] > 0
        assert "a@b.kz" not in json.dumps(body)
        assert "may not be touched" not in json.dumps(body)


@pytest.mark.usefixtures("told")
def test_permission_without_staff_is_not_enough_for_the_rest() -> None:
    outsider = person("out", "locks_admin.view_lock", staff=False)
    assert set(client(outsider).get(URL).json()) == OPEN_KEYS


@pytest.mark.usefixtures("told")
def test_staff_and_monitoring_get_the_rest(operator: User, viewer: User) -> None:
    session = APIClient()
    session.force_login(operator)
    for who in (
        session,
        client(operator),
        client(viewer),
        monitoring(),
        monitoring(scheme="bearer"),
    ):
        body = who.get(URL).json()
        assert set(body) == {*OPEN_KEYS, "events", "token_warning", "stage_warning"}
        assert body["events"]["united"] == 1
        assert "1" in body["stage_warning"]
        assert set(body["deliveries"]) == {*OPEN_DELIVERIES, "undelivered_reason"}
        assert set(body["deliveries"]["paused"]) == {"kind", "since", "until", "reason"}
        assert isinstance(body["requests_per_second"]["now"], int)


@pytest.mark.parametrize("path", [URL, PAGE])
def test_requests_and_events_are_counted_once_for_an_answer(operator: User, path: str) -> None:
    browser = Client()
    browser.force_login(operator)
    with round_trips() as seen, CaptureQueriesContext(connection) as queries:
        assert browser.get(path).status_code == 200
    assert seen["ZCOUNT"] == 1
    assert sum("amocrm_eventcount" in query["sql"] for query in queries.captured_queries) == 1


@pytest.mark.usefixtures("told")
def test_people_in_amocrms_words_are_masked_as_everywhere(operator: User, viewer: User) -> None:
    for who, name in ((client(operator), "a@b.kz"), (client(viewer), "a***@b.kz")):
        found = who.get(URL).json()["deliveries"]
        assert found["undelivered_reason"] == f"no answer about {name}"
        assert found["paused"]["reason"] == f"{name} may not be touched"
    assert "a***@b.kz" in monitoring().get(URL).content.decode()


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("token", "scheme"),
    [
        (MONITORING + "x", "Bearer"),
        (MONITORING[:-1], "Bearer"),
        ("токен", "Bearer"),
        ("", "Bearer"),
        (MONITORING, "Token"),
    ],
)
def test_a_wrong_token_is_refused_instead_of_answered_less(token: str, scheme: str) -> None:
    answer = monitoring(token, scheme).get(URL)
    assert answer.status_code == 401
    assert answer.json()["success"] is False
    assert "system" not in answer.json()
    assert answer["WWW-Authenticate"] == "Bearer"
    # A token of somebody's account is advice for those who sent one.
    assert ("drf_create_token" in answer.json()["error"]) == (scheme == "Token")


@pytest.mark.parametrize("token", ["", " ", "None", MONITORING])
def test_without_a_configured_token_none_is_right(db: None, settings: Settings, token: str) -> None:
    settings.METRICS_TOKEN = ""
    assert monitoring(token).get(URL).status_code == 401


def test_the_token_of_monitoring_opens_nothing_else(locks: Locks, settings: Settings) -> None:
    settings.METRICS_TOKEN = MONITORING
    name = locks.put()
    assert monitoring().get(LIST).status_code == 401
    assert monitoring().delete(LIST).status_code == 401
    assert locks.names() == {name}


def test_a_header_of_somebody_elses_scheme_is_no_credential(db: None) -> None:
    """As a proxy with a password of its own sends it along."""
    assert monitoring("Zm9vOmJhcg==", "Basic").get(URL).status_code == 200


# --- the truth -----------------------------------------------------------------------------------


def test_who_waits_for_a_retry_is_counted_and_grows_older(db: None) -> None:
    undelivered(20)
    undelivered(3600, status="delivered")
    undelivered(3600, status="failed")
    found = client().get(URL).json()
    assert found["deliveries"]["undelivered"] == 0
    assert found["deliveries"]["oldest_undelivered_seconds"] is None
    assert found["message"] == "✅ Lock system operational"
    undelivered(40)
    found = client().get(URL).json()
    assert found["deliveries"]["undelivered"] == 1
    assert 40 <= found["deliveries"]["oldest_undelivered_seconds"] < 45
    assert found["message"] == "✅ Lock system operational"
    undelivered(60)
    found = client().get(URL).json()
    assert found["deliveries"]["due"] == 0
    assert found["deliveries"]["undelivered"] == 2
    assert found["message"].startswith("⚠️ Submissions are not delivered: 2, the oldest for 6")


def test_a_paused_account_is_not_operational(settings: Settings, db: None) -> None:
    paused(settings, timezone.now(), "Код ошибки 244")
    message = client().get(URL).json()["message"]
    assert message == "⚠️ amoCRM is paused: submissions are accepted, deliveries wait"


def test_without_redis_and_undelivered_the_message_tells_the_worse(
    settings: Settings, db: None
) -> None:
    settings.REDIS_ENABLED = False
    undelivered(60)
    assert "not delivered: 1" in client().get(URL).json()["message"]


@pytest.mark.django_db(transaction=True)
def test_within_a_minute_of_502_to_everything_the_status_says_how_many_and_why(
    sandbox: RunningSandbox, operator: User
) -> None:
    sandbox.control.fault("answer", path="/api/v4/.*", status=502, body="<html>", times=-1)
    rows = [
        Submission.objects.create(form_id="express", name="N", email=f"p{number}@b.kz")
        for number in range(4)
    ]
    for row in rows:
        attempt.deliver(row.pk)
    with time_machine.travel(timezone.now() + timedelta(seconds=55)):
        body = client(operator).get(URL).json()
    found = body["deliveries"]
    assert (found["undelivered"], found["failed"], found["paused"]) == (4, 0, None)
    assert 55 <= found["oldest_undelivered_seconds"] < 75
    assert "502" in found["undelivered_reason"]
    assert "not delivered: 4" in body["message"]
