"""The same key and body are one submission, whatever the timing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection
from pytest_django import Settings
from rest_framework.test import APIClient

from leads import intake
from leads.models import Submission
from tests.leads.forms import EXPRESS, PROFTEST, PROFTEST_URL, SUBMIT_URL


def post(body: Any, key: str | None, url: str = PROFTEST_URL) -> Any:
    headers: dict[str, Any] = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    return APIClient().post(url, body, format="json", **headers)


@pytest.mark.django_db
def test_a_repetition_gets_the_same_lead_with_its_current_status() -> None:
    first = post(PROFTEST, "key").json()
    Submission.objects.update(status=Submission.Status.DELIVERED)

    again = post(PROFTEST, "key")

    assert again.status_code == 202
    assert again.json() == first | {"status": "delivered"}
    assert Submission.objects.count() == 1


@pytest.mark.django_db
def test_without_a_key_every_post_is_a_submission() -> None:
    assert post(PROFTEST, None).json()["leadId"] != post(PROFTEST, None).json()["leadId"]
    assert Submission.objects.count() == 2


@pytest.mark.django_db
def test_the_same_body_written_differently_is_the_same() -> None:
    body = {**EXPRESS, "metadata": {"a": 1, "b": 2.0}}
    other = {**dict(reversed(EXPRESS.items())), "metadata": {"b": 2, "a": 1.0}}
    assert post(body, "key", SUBMIT_URL).json() == post(other, "key", SUBMIT_URL).json()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", [{"name": "Somebody Else"}, {"ignored": 1}, {"source": None}], ids=str
)
def test_another_body_under_the_same_key_is_422(change: dict[str, Any]) -> None:
    post(PROFTEST, "key")
    answer = post({**PROFTEST, **change}, "key")
    assert answer.status_code == 422
    assert answer.json()["success"] is False
    assert Submission.objects.get().name == "Test User"


@pytest.mark.django_db
def test_a_key_belongs_to_its_endpoint() -> None:
    assert post(PROFTEST, "key").status_code == 202
    assert post(EXPRESS, "key", SUBMIT_URL).status_code == 202
    assert Submission.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "   ", "x" * 256, "a\x00b", "a\x07b"])
def test_a_key_that_cannot_be_one_is_400(key: str) -> None:
    answer = post(PROFTEST, key)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["Idempotency-Key"]
    assert Submission.objects.count() == 0


@pytest.mark.django_db
def test_a_key_of_255_characters_is_taken() -> None:
    assert post(PROFTEST, "x" * 255).status_code == 202


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_forty_concurrent_twins_are_one_submission() -> None:
    start = threading.Barrier(40)

    def twin(_: int) -> tuple[int, str]:
        start.wait()
        try:
            answer = post(PROFTEST, "key")
            return answer.status_code, answer.json()["leadId"]
        finally:
            connection.close()

    with ThreadPoolExecutor(40) as pool:
        answers = set(pool.map(twin, range(40)))

    assert answers == {(202, str(Submission.objects.get().pk))}


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["key", None])
@pytest.mark.parametrize("repeat_seconds", [0, 3600])
def test_an_integrity_error_of_another_kind_is_not_hidden(
    settings: Settings, key: str | None, repeat_seconds: int
) -> None:
    settings.REPEAT_SECONDS = repeat_seconds
    with pytest.raises(IntegrityError):
        intake.accept_submission(
            form="proftest", data={"name": None}, named=(), idempotency_key=key
        )
