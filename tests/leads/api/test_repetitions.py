"""A double click is one submission, in whatever processes its clicks arrive."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from pytest_django import Settings
from rest_framework.test import APIClient

from leads import intake
from leads.delivery.bell import bell
from leads.models import Submission
from tests.leads.forms import EXPRESS, PROFTEST, PROFTEST_URL, SUBMIT_URL


@pytest.fixture(autouse=True)
def _within_an_hour(settings: Settings) -> None:
    settings.REPEAT_SECONDS = 3600


def post(body: Any = PROFTEST, url: str = PROFTEST_URL, **headers: str) -> dict[str, Any]:
    response = APIClient().post(url, body, format="json", headers=headers)
    assert response.status_code == 202
    answer: dict[str, Any] = response.json()
    return answer


def earlier(seconds: float) -> None:
    """Everything so far was sent so much earlier."""
    Submission.objects.update(created_at=F("created_at") - timedelta(seconds=seconds))


@pytest.mark.django_db
def test_a_second_click_gets_the_first_answer_with_its_current_status(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = post()
    Submission.objects.update(status=Submission.Status.DELIVERED)
    with caplog.at_level("INFO"):
        again = post(dict(reversed(PROFTEST.items())))
    assert again == first | {"status": "delivered"}
    assert Submission.objects.count() == 1
    assert (
        "🔁 Repeated proftest, answered like the first one · test@onai.academy / +77771112233"
        f" · submission {first['leadId']}"
    ) in caplog.messages


@pytest.mark.django_db
def test_only_the_first_one_is_rung_for(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings: list[int] = []
    monkeypatch.setattr(bell, "ring", lambda: rings.append(1))
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            post()
    assert rings == [1]


@pytest.mark.django_db
def test_after_that_time_it_is_another_one_and_so_on() -> None:
    ids = [post()["leadId"]]
    for _ in range(3):
        earlier(3000)
        assert post()["leadId"] == ids[-1], "the time runs from the first one"
        earlier(1000)
        ids.append(post()["leadId"])
        assert post()["leadId"] == ids[-1]
    assert len(set(ids)) == Submission.objects.count() == 4


@pytest.mark.django_db
def test_the_latest_one_counts_also_where_an_earlier_one_was_removed() -> None:
    for _ in range(3):
        post()
        earlier(4000)
    Submission.objects.get(repetition=0).delete()
    latest = post()["leadId"]
    assert post()["leadId"] == latest
    earlier(4000)
    assert post()["leadId"] != latest
    assert Submission.objects.count() == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [{"name": "Somebody Else"}, {"phone": "+77771112234"}, {"source": None}, {"unknown": 1}],
    ids=str,
)
def test_another_body_is_another_submission(change: dict[str, Any]) -> None:
    assert post()["leadId"] != post(PROFTEST | change)["leadId"]


@pytest.mark.django_db
def test_each_form_counts_for_itself() -> None:
    assert post(EXPRESS)["leadId"] != post(EXPRESS, SUBMIT_URL)["leadId"]


@pytest.mark.django_db
def test_who_sends_a_key_says_what_is_a_repetition() -> None:
    ids = [post(PROFTEST, **{"Idempotency-Key": key})["leadId"] for key in ("a", "a", "b")]
    ids.append(post()["leadId"])
    assert ids[0] == ids[1]
    assert len(set(ids)) == Submission.objects.count() == 3


@pytest.mark.django_db
def test_it_can_be_switched_off(settings: Settings) -> None:
    settings.REPEAT_SECONDS = 0
    assert post()["leadId"] != post()["leadId"]
    assert not Submission.objects.exclude(repetition=None).exists()
    settings.REPEAT_SECONDS = 3600
    assert post()["leadId"] == post()["leadId"]
    assert Submission.objects.count() == 3


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_forty_clicks_at_once_are_one_submission() -> None:
    start = threading.Barrier(40)

    def click(_: int) -> str:
        start.wait()
        try:
            return str(post()["leadId"])
        finally:
            connection.close()

    with ThreadPoolExecutor(40) as pool:
        answers = set(pool.map(click, range(40)))
    assert answers == {str(Submission.objects.get().pk)}


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_a_twin_that_commits_between_look_and_insert_is_answered_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = post()
    earlier(4000)
    quicker: list[str] = []
    insert = intake._insert

    def insert_late(submission: Submission, *args: Any) -> Submission:
        if submission.repetition and not quicker:
            quicker.append("")  # the next one is not late
            quicker[0] = post()["leadId"]
        return insert(submission, *args)

    monkeypatch.setattr(intake, "_insert", insert_late)
    assert [post()["leadId"]] == quicker != [first["leadId"]]
    assert Submission.objects.count() == 2
