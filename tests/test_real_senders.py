"""From POST to CRM, everything real: forms as builders and browsers send them become leads."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_django import Settings

from amocrm.sandbox.server import RunningSandbox
from leads.delivery.attempt import deliver
from leads.models import Submission

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def express(body: Any, content_type: str = JSON) -> tuple[str, str, str]:
    text = json.dumps(body) if isinstance(body, dict) else body
    return "/api/landing/submit", text, content_type


SENT = {
    "Tilda": express("Name=Айгуль&Phone=%2B7+%28701%29+123-01-02&tranid=1%3A2", FORM),
    "Elementor": express(
        urlencode({"fields[name][value]": "Анна", "fields[phone][value]": "+77011230103"}), FORM
    ),
    "a beacon": express('{"name":"Анна","phone":"+77011230104"}', "text/plain;charset=UTF-8"),
    "a number": express({"name": "Анна", "phone": 77011230107}),
    "a list": express(
        {"name": "А", "phone": "+77011230108", "utmParams": {"utm_source": ["google", "google"]}}
    ),
    "PHP": express({"name": "А", "phone": "+77011230108", "utmParams": [], "metadata": []}),
    "Telegram": (
        "/api/landing/proftest",
        json.dumps({"name": "Дана", "email": "dana.tg@example.kz", "phone": "@dana_kz"}),
        JSON,
    ),
    "Meta": express({"name": "Дана", "phone": "p:+77011230207"}),
    "nobody's name": express({"name": "\u202e", "phone": "+77011230208"}),
}
TOLD = {
    "a list": ["UTM-метки utm_source: несколько значений, взято одно, остальные: google"],
    "Telegram": ["Телефон: @dana_kz (такого номера нет, по нему никого не искали)"],
    "nobody's name": ["Имя: не указано"],
}


@pytest.mark.parametrize("sender", SENT)
def test_each_becomes_one_lead_whose_note_tells_what_was_wrong(
    sandbox: RunningSandbox, settings: Settings, sender: str
) -> None:
    settings.REPEAT_SECONDS = 3600
    path, body, content_type = SENT[sender]
    for _ in range(2):  # a double click
        answer = Client().post(path, body, content_type=content_type)
        assert answer.status_code in (200, 202), answer.content
    row = Submission.objects.get()
    deliver(row.pk)

    state = sandbox.control.state()
    (lead,) = state["leads"]
    assert lead["name"].removeprefix("Экспресс-курс: ").removeprefix("Профтест: ") == (
        row.name or "Имя не указано"
    )
    (note,) = state["notes"]
    lines = note["text"].splitlines()
    assert [line for line in TOLD.get(sender, []) if line not in lines] == []
    assert ("Замечания к заявке:" in lines) == (sender in ("a list", "nobody's name"))
