"""A program that fills in forms believes that it is done; a person taken for one is released."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from amocrm import counters
from leads.delivery import lease
from leads.delivery.mapping import lead_request
from leads.models import Submission
from leads.remarks import sentence
from tests.leads.conftest import Told
from tests.leads.forms import SUBMIT_URL

pytestmark = pytest.mark.django_db
PERSON = {"name": "Анна", "phone": "+77011230104"}


def post(api: APIClient, **more: Any) -> Submission:
    answer = api.post(SUBMIT_URL, PERSON | more, format="json")
    assert answer.status_code == 202
    assert answer.json()["status"] == "accepted"
    asked = api.get(answer.json()["statusUrl"]).json()
    assert asked == {"success": True, "leadId": answer.json()["leadId"], "status": "accepted"}
    return Submission.objects.get(pk=answer.json()["leadId"])


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"_gotcha": "https://spam.example"}, "trapped"),
        ({"_gotcha": ["", "x"]}, "trapped"),
        ({"_elapsed": 999}, "too_fast"),
        ({"_elapsed": "0"}, "too_fast"),
        ({"_elapsed": 4000, "_gotcha": "x"}, "trapped"),
    ],
)
def test_what_looks_like_a_programs_is_kept_back_without_a_word(
    api: APIClient,
    told: Told,
    more: dict[str, Any],
    code: str,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        row = post(api, **more)
    assert (row.status, [one["code"] for one in row.remarks]) == ("quarantined", [code])
    assert not lease.due(row.next_attempt_at).exists()
    assert told() == 0
    assert counters.totals()["quarantined"] == 1


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"_gotcha": "", "_elapsed": ""},
        {"_gotcha": " ", "_elapsed": 1000},
        {"_elapsed": -5},
        {"_elapsed": None},
        {"_elapsed": True},
        {"_elapsed": "soon"},
        {"_elapsed": {"a": []}},
        {"_elapsed": int("9" * 400)},
        {"_elapsed": 0.5},
    ],
)
def test_nobody_else_is_suspected(api: APIClient, more: dict[str, Any]) -> None:
    row = post(api, **more)
    assert (row.status, row.remarks) == ("accepted", [])


def test_the_least_time_can_be_switched_off(api: APIClient, settings: Settings) -> None:
    settings.FORM_MIN_SECONDS = 0
    assert post(api, _elapsed=0).status == "accepted"


def test_a_repetition_of_one_in_quarantine_learns_nothing(
    api: APIClient, settings: Settings
) -> None:
    settings.REPEAT_SECONDS = 60
    assert post(api, _gotcha="x").pk == post(api, _gotcha="x").pk
    key = {"Idempotency-Key": "one"}
    answers = [
        api.post(SUBMIT_URL, PERSON | {"_elapsed": 1}, format="json", headers=key).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0]["status"] == "accepted"


def staff(*codenames: str) -> Client:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def act(client: Client, action: str, row: Submission) -> Any:
    chosen = {"action": action, "_selected_action": [str(row.pk)]}
    return client.post("/admin/leads/submission/", chosen, follow=True)


def test_an_operator_releases_a_person_once(
    api: APIClient, told: Told, django_capture_on_commit_callbacks: Any
) -> None:
    row = post(api, _gotcha="autofilled")
    client = staff("view_submission", "change_submission")
    act(client, "deliver_again", row)  # that is for those that failed
    row.refresh_from_db()
    assert row.status == "quarantined"
    with django_capture_on_commit_callbacks(execute=True):
        act(client, "release", row)
        assert told() == 0, "it is not committed yet"
    row.refresh_from_db()
    assert (row.status, told()) == ("accepted", 1)
    assert list(lease.due(row.next_attempt_at)) == [row]
    assert sentence(row.remarks[0]) in str(lead_request(row).note_lines)
    page = act(client, "release", row).content.decode()
    assert "Среди выбранного ничего нет в карантине." in page


def test_whoever_may_only_look_releases_nobody(api: APIClient) -> None:
    row = post(api, _gotcha="x")
    act(staff("view_submission"), "release", row)
    row.refresh_from_db()
    assert row.status == "quarantined"


def test_staff_sees_where_it_stands(api: APIClient) -> None:
    row = post(api, _gotcha="x")
    asked = staff("view_submission").get(f"/api/landing/submissions/{row.pk}").json()
    assert (asked["status"], asked["nextAttemptAt"]) == ("quarantined", None)


def test_what_is_in_quarantine_uses_up_nobodys_limit(api: APIClient, settings: Settings) -> None:
    settings.PERSON_THROTTLE = "2/hour"
    for number in range(4):
        post(api, _gotcha="x", source=f"page {number}")
    assert post(api).status == "accepted"
