"""What is wrong: found, in order, and in the same words wherever it is told."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from amocrm.api import pause
from amocrm.diagnostics import faults
from amocrm.diagnostics.checks import check_settings
from amocrm.locks import health
from amocrm.locks.health import Health
from amocrm.sandbox.server import RunningSandbox
from leads.models import Submission
from locks_admin.monitor import alerts, lock_status, stats
from tests.amocrm.api.test_tokens import jwt
from tests.locks_admin.conftest import LIST, PAGE, Locks


def codes() -> list[str]:
    """What is wrong now."""
    found = alerts.find(health.check(), stats.deliveries(), lock_status.read())
    return [alert.code for alert in found]


def test_nothing_is_wrong_with_a_live_lock(locks: Locks) -> None:
    locks.put()
    assert codes() == []


def test_locks_that_need_a_look_are_told(locks: Locks) -> None:
    for state in ("orphan", "overdue"):
        locks.put(f"{state}@b.kz:7", state=state)
    locks.put("endless@b.kz:7", ttl=None)
    assert codes() == ["orphan", "overdue", "endless"]


def test_what_keeps_leads_from_being_delivered_comes_first(locks: Locks) -> None:
    locks.put(state="orphan")
    due = timezone.now() - timedelta(seconds=90)
    Submission.objects.create(form="express", name="N", next_attempt_at=due)
    assert codes() == ["late", "orphan"]


def test_late_deliveries_are_not_told_beside_their_cause(locks: Locks, settings: Settings) -> None:
    due = timezone.now() - timedelta(seconds=90)
    Submission.objects.create(form="express", name="N", next_attempt_at=due)
    away = Health(enabled=True, trouble="refused")
    found = alerts.find(away, stats.deliveries(), [])
    assert [alert.code for alert in found] == ["redis"]
    account = settings.AMOCRM_BASE_URL.removeprefix("http://")
    pause.begin(account, "token", "the token is not valid")
    assert codes() == ["paused"]


@pytest.mark.django_db
def test_a_token_that_ends_is_told_in_the_same_words_everywhere(
    sandbox: RunningSandbox, operator: User, settings: Settings
) -> None:
    end = timezone.now() + timedelta(days=10, minutes=1)
    settings.AMOCRM_ACCESS_TOKEN = jwt({"exp": int(end.timestamp())})
    settings.LANGUAGE_CODE = "en"
    fault = faults.of_token(timezone.now())
    assert fault is not None
    (message,) = check_settings()
    assert (message.msg, message.hint) == (fault.text, fault.fix)
    out = io.StringIO()
    call_command("amocrm_check", "--json", "--language", "en", stdout=out)
    (found,) = (one for one in json.loads(out.getvalue())["findings"] if one["about"] == "token")
    assert (found["text"], found["fix"]) == (fault.text, fault.fix)
    client = Client(headers={"accept-language": "en"})
    assert client.get(f"{LIST}/status").json()["token_warning"] == fault.text
    client.force_login(operator)
    assert fault.text in client.get(PAGE).content.decode()
