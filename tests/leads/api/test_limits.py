"""How many forms are taken from one sender, and how many that name one person."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from amocrm import conf, counters, ledger
from amocrm.identity import IdentityKey
from amocrm.ledger.ignored import ignore
from leads.api.throttles import LandingThrottle
from leads.models import RefusedForm, Submission
from leads.refused.mending import MendingForm, send_on
from tests.leads.conftest import Create
from tests.leads.forms import EXPRESS, SUBMIT_URL

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

SENDER = "192.0.2.1"


def seconds(settings: Settings, rate: str) -> int:
    """How long a sender has to wait who was heard of before; 0: not at all."""
    LandingThrottle.heard.set(SENDER, True)
    settings.LANDING_THROTTLE = rate
    return LandingThrottle().seconds_left(SENDER)


@pytest.fixture
def sent(create: Create) -> Any:
    """Let the sender have sent a form so many seconds ago."""
    now = timezone.now()

    def one(ago: float, client: str = SENDER) -> None:
        create(client=client, created_at=now - timedelta(seconds=ago))

    with time_machine.travel(now, tick=False):
        yield one


def test_forms_may_be_sent_again_one_by_one_as_others_get_old(
    sent: Any, settings: Settings
) -> None:
    for ago in (59.5, 40, 0):
        sent(ago)
    sent(0, "192.0.2.2")
    assert [seconds(settings, f"{number}/min") for number in (4, 3, 2, 1)] == [0, 1, 20, 60]


def test_the_first_form_that_a_process_hears_of_a_sender_costs_no_query(
    api: APIClient, django_assert_num_queries: Any
) -> None:
    post(api)  # the form itself is read, too
    with django_assert_num_queries(1):
        assert post(api, 1, email="b@mail.example", phone="+77015550000").status_code == 202
    with django_assert_num_queries(3):
        assert post(api, 1, email="c@mail.example", phone="+77015550001").status_code == 202


@pytest.mark.parametrize(
    ("rate", "unit"), [("1/sec", 1), ("1/min", 60), ("1/hour", 3600), ("1/day", 86400)]
)
def test_every_unit_of_the_setting_is_understood(
    sent: Any, settings: Settings, rate: str, unit: int
) -> None:
    sent(unit + 0.1)
    assert seconds(settings, rate) == 0
    sent(0)
    assert seconds(settings, rate) == unit


def test_a_clock_that_was_set_back_locks_nobody_out(sent: Any, settings: Settings) -> None:
    sent(-7200)
    assert seconds(settings, "1/min") == 0
    sent(-30)
    assert seconds(settings, "1/min") == 60, "and no wait is longer than the unit"


def post(api: APIClient, number: int = 0, **changes: str) -> Any:
    """A form from an address of its own."""
    body = EXPRESS | {"source": f"page {number}"} | changes
    return api.post(SUBMIT_URL, body, format="json", REMOTE_ADDR=f"198.51.100.{number}")


def test_nobody_is_named_by_more_forms_than_may_be_whoever_sends_them(
    api: APIClient, settings: Settings
) -> None:
    settings.PERSON_THROTTLE = "2/hour"
    assert [post(api, number).status_code for number in range(2)] == [202, 202]
    before = counters.totals()["form_refused"]

    answer = post(api, 3, name="Анна")

    assert answer.status_code == 429
    assert 3590 <= int(answer["Retry-After"]) <= 3600
    assert answer.json() == {
        "success": False,
        "error": "Слишком много заявок с этим e-mail или телефоном. Повторите через 60 мин.",
    }
    assert Submission.objects.count() == 2
    assert counters.totals()["form_refused"] == before + 1
    kept = RefusedForm.objects.get()
    assert (kept.name, kept.body["source"]) == ("Анна", "page 3")
    assert [(one["field"], one["code"]) for one in kept.problems] == [("form", "too_often")]
    assert post(api, 4, email="b@mail.example", phone="+77015550000").status_code == 202


@pytest.mark.parametrize(
    "spelling",
    [
        {"email": " TEST@onai.academy", "phone": "+77015550001"},
        {"email": "other@mail.example", "phone": "+7 777 111-22-33"},
        {"email": "other@mail.example, test@onai.academy", "phone": "+77015550001"},
    ],
)
def test_no_other_spelling_and_nobody_beside_a_person_helps(
    api: APIClient, settings: Settings, spelling: dict[str, str]
) -> None:
    settings.PERSON_THROTTLE = "1/hour"
    assert post(api).status_code == 202
    assert post(api, 1, **spelling).status_code == 429


def test_who_was_named_beside_others_counts_too(api: APIClient, settings: Settings) -> None:
    settings.PERSON_THROTTLE = "1/hour"
    assert post(api, email="other@mail.example, test@onai.academy").status_code == 202
    assert post(api, 1, phone="+77015550001").status_code == 429


def test_what_was_long_ago_does_not_count(
    api: APIClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PERSON_THROTTLE = "1/hour"
    post(api)
    assert post(api, 1).status_code == 429
    an_hour_later = time.monotonic() + 3601
    monkeypatch.setattr("leads.limits.monotonic", lambda: an_hour_later)
    assert post(api, 1).status_code == 202


def test_a_repeated_form_gets_its_answer(api: APIClient, settings: Settings) -> None:
    settings.PERSON_THROTTLE = "1/hour"
    first, again = (
        api.post(SUBMIT_URL, EXPRESS, format="json", HTTP_IDEMPOTENCY_KEY="k") for _ in range(2)
    )
    assert (again.status_code, again.json()) == (202, first.json())


def test_what_identifies_nobody_has_no_limit(api: APIClient, settings: Settings) -> None:
    settings.PERSON_THROTTLE = "1/hour"
    settings.IGNORED_IDENTITIES = ["test@onai.academy"]
    phones = ("+77015550001", "+77015550002", "+77015550003")
    assert [post(api, phone=phone).status_code for phone in phones] == [202] * 3
    settings.IGNORED_IDENTITIES = []
    assert post(api, phone="+77015550004").status_code == 429
    ignore(conf.current().account, IdentityKey("email", "test@onai.academy"))
    assert ledger.identifying(conf.current().account, [IdentityKey("email", "a@b.kz")])
    assert post(api, phone="+77015550004").status_code == 202
    assert post(api, 1, phone="+77015550004").status_code == 429


def test_an_operator_may_send_on_what_was_one_too_many(api: APIClient, settings: Settings) -> None:
    settings.PERSON_THROTTLE = "1/hour"
    post(api), post(api, 1)
    refused = RefusedForm.objects.get()
    person = {"name": refused.name, "email": refused.email, "phone": refused.phone}
    form = MendingForm(person | {"form": "express"}, instance=refused)
    assert form.is_valid()
    landing_form = form.cleaned_data["form"]
    assert send_on(refused, landing_form, form.serializer).status == "accepted"
    assert Submission.objects.count() == 2


def test_without_the_database_nobody_knows_and_it_is_503(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(LandingThrottle, "seconds_left", broken)
    answer = post(api)
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
