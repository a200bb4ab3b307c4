"""What is wrong: found, in order, and in the same words wherever it is told."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone, translation
from pytest_django.fixtures import Settings

from amocrm import conf, counters, ledger
from amocrm.api import pause
from amocrm.counters import Event
from amocrm.diagnostics import faults
from amocrm.diagnostics.checks import check_settings
from amocrm.identity import IdentityKey
from amocrm.ledger import decisions
from amocrm.locks import health
from amocrm.locks.health import Health
from amocrm.models import MergeProposal
from amocrm.sandbox.server import RunningSandbox
from leads.models import Submission
from locks_admin.monitor import alerts, lock_status, stats
from tests.amocrm.api.test_tokens import jwt
from tests.locks_admin.conftest import LIST, PAGE, Locks

ANNA, PHONE = IdentityKey("email", "anna@x.kz"), IdentityKey("phone", "+77771112233")
BERIK = IdentityKey("phone", "+77012223344")


def codes() -> list[str]:
    """What is wrong now."""
    found = alerts.find(
        health.check(), stats.deliveries(), lock_status.read(), counted=counters.totals()
    )
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
    Submission.objects.create(form_id="express", name="N", next_attempt_at=due)
    assert codes() == ["late", "orphan"]


def test_late_deliveries_are_not_told_beside_their_cause(locks: Locks, settings: Settings) -> None:
    due = timezone.now() - timedelta(seconds=90)
    Submission.objects.create(form_id="express", name="N", next_attempt_at=due)
    away = Health(enabled=True, trouble="refused")
    found = alerts.find(away, stats.deliveries(), [], counted=counters.totals())
    assert [alert.code for alert in found] == ["redis"]
    account = settings.AMOCRM_BASE_URL.removeprefix("http://")
    pause.begin(account, "token", "the token is not valid")
    assert codes() == ["paused"]


def undelivered(seconds: float, reason: str, **values: Any) -> None:
    """A submission that was accepted so long ago and waits for its next try."""
    now = timezone.now()
    Submission.objects.create(
        form_id="express",
        name="N",
        created_at=now - timedelta(seconds=seconds),
        next_attempt_at=now + timedelta(hours=1),
        reason=reason,
        **values,
    )


def test_who_waits_for_a_retry_is_told_with_number_age_and_reason(locks: Locks) -> None:
    undelivered(40, "amoCRM answered 502")
    assert codes() == []
    undelivered(65, "amoCRM answered 502 to a@b.kz")
    undelivered(61, "amoCRM answered 502 to a@b.kz")
    with translation.override("en"):
        (found,) = alerts.find(health.check(), stats.deliveries(), [], counted=counters.totals())
    assert found.code == "undelivered"
    assert found.critical
    assert ": 3, the oldest for 1 min 5 s" in found.text
    assert "reason: amoCRM answered 502 to a***@b.kz." in found.text


def test_the_number_of_the_undelivered_is_told_beside_the_cause(
    locks: Locks, settings: Settings
) -> None:
    undelivered(65, "")
    account = settings.AMOCRM_BASE_URL.removeprefix("http://")
    pause.begin(account, "rights", "Код ошибки 244")
    assert codes() == ["paused", "undelivered"]


def test_a_form_whose_stage_is_missing_is_told_with_the_number_of_its_leads(locks: Locks) -> None:
    counters.count(Event.STAGE_MISSING, 2)
    with translation.override("en"):
        (found,) = alerts.find(health.check(), stats.deliveries(), [], counted=counters.totals())
    assert (found.code, found.critical) == ("stage", False)
    assert "(today: 2)" in found.text
    assert found.commands == (faults.CHECK_COMMAND,)


def test_what_operators_decide_or_should_know_of_people_is_told(locks: Locks) -> None:
    counters.count(Event.NAMES_TOO_MANY)
    counters.count(Event.NOT_ATTACHED, 2)
    with translation.override("en"):
        pairs, crowds = alerts.find(
            health.check(), stats.deliveries(), [], counted=counters.totals(), proposals=3
        )
    assert (pairs.code, crowds.code) == ("proposals", "crowds")
    assert "(pairs: 3)" in pairs.text
    assert "from now on: 1;" in crowds.text
    assert "gathered enough: 2." in crowds.text


@pytest.mark.django_db
def test_the_page_tells_how_many_pairs_wait_for_a_decision(operator: User) -> None:
    account = conf.current().account
    for lead_id, key in ((11, ANNA), (22, PHONE), (33, BERIK)):
        ledger.record(ledger.resolve(account, {key}), lead_id)
    ledger.resolve(account, {ANNA, PHONE})
    ledger.resolve(account, {ANNA, BERIK})
    decisions.refuse(MergeProposal.objects.latest("pk").pk, by="olga")
    client = Client(headers={"accept-language": "en"})
    client.force_login(operator)
    assert "(pairs: 1)" in client.get(PAGE).content.decode()


@pytest.mark.django_db
def test_the_page_shows_what_is_not_delivered(operator: User) -> None:
    undelivered(65, "amoCRM answered 502 <b>")
    client = Client(headers={"accept-language": "en"})
    client.force_login(operator)
    shown = client.get(PAGE).content.decode()
    assert "Submissions are not delivered" in shown
    assert "amoCRM answered 502 &lt;b&gt;" in shown
    assert "works" not in shown  # amoCRM's tile
    assert "not paused" in shown


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
    client.force_login(operator)
    assert client.get(f"{LIST}/status").json()["token_warning"] == fault.text
    assert fault.text in client.get(PAGE).content.decode()
