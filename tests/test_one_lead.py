"""From POST to CRM, everything real: forty submissions of one person in the same instant."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from amocrm.sandbox.server import RunningSandbox
from leads.delivery.attempt import deliver
from leads.models import Submission

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

THREADS = 40
EMAILS = ("test@onai.academy", " Test@Onai.Academy", "TEST@ONAI.ACADEMY")
PHONES = ("+77771112233", "8 (777) 111-22-33", "+7 777 111 22 33", "87771112233", "77771112233")


def _post(number: int, barrier: threading.Barrier) -> int:
    body: dict[str, Any] = {"name": "Test User", "phone": PHONES[number % len(PHONES)]}
    path = "/api/landing/submit"
    if number % 4:
        body |= {"email": EMAILS[number % len(EMAILS)], "proftestAnswers": []}
        path = "/api/landing/proftest"
    try:
        barrier.wait(timeout=30)
        answer = Client().post(path, json.dumps(body), content_type="application/json")
        return answer.status_code
    finally:
        connection.close()


def _deliver(submission_id: UUID) -> None:
    try:
        deliver(submission_id)
    finally:
        connection.close()


def _undelivered() -> list[UUID]:
    rows = Submission.objects.exclude(status=Submission.Status.DELIVERED)
    return list(rows.values_list("id", flat=True))


@pytest.mark.parametrize(
    "redis",
    [
        pytest.param(True, id="with locks", marks=pytest.mark.needs_redis),
        pytest.param(False, id="by the claim alone"),
    ],
)
def test_forty_at_once_in_different_spellings_are_one_lead(
    sandbox: RunningSandbox, settings: Any, *, redis: bool
) -> None:
    settings.REDIS_ENABLED = redis
    barrier = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        codes = list(pool.map(_post, range(THREADS), [barrier] * THREADS))
    assert codes == [202] * THREADS

    for _ in range(THREADS):
        if not (left := _undelivered()):
            break
        Submission.objects.filter(id__in=left).update(next_attempt_at=timezone.now())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(_deliver, left))

    assert _undelivered() == []
    state = sandbox.control.state()
    assert len(state["leads"]) == len(state["contacts"]) == 1
    assert len(state["notes"]) == THREADS
    assert Submission.objects.filter(action="created").count() == 1
