"""What many people share names nobody: they stay two people with two leads."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from amocrm.sandbox.server import RunningSandbox
from leads.delivery.attempt import deliver
from leads.models import Submission

pytestmark = [pytest.mark.django_db(transaction=True)]


def _submit(**form: str) -> None:
    answer = Client().post("/api/landing/submit", form, content_type="application/json")
    assert answer.status_code == 202, answer.content
    deliver(Submission.objects.latest("created_at").id)


def _phones(contact: dict[str, Any]) -> list[str]:
    fields = contact["custom_fields_values"] or []
    return [
        value["value"]
        for field in fields
        if field["field_code"] == "PHONE"
        for value in field["values"]
    ]


def test_two_who_type_zeros_have_a_lead_each(sandbox: RunningSandbox) -> None:
    _submit(name="Айдана", email="aidana.one@example.kz", phone="0000000000")
    _submit(name="Руслан", email="ruslan.two@example.kz", phone="+7 (000) 000-00-00")

    state = sandbox.control.state()
    assert len(state["leads"]) == 2
    assert [_phones(contact) for contact in state["contacts"]] == [[], []]


def test_two_behind_one_switchboard_have_a_lead_each(sandbox: RunningSandbox) -> None:
    _submit(name="Асель", phone="+7 727 258 11 11 доб. 12")
    _submit(name="Марат", phone="+7 727 258 11 11 доб. 34")
    _submit(name="Асель", phone="+7 (727) 258-11-11 ext. 12")

    state = sandbox.control.state()
    assert len(state["leads"]) == 2
    assert [_phones(contact) for contact in state["contacts"]] == [
        ["+7 7272 58 11 11 ext. 12"],
        ["+7 7272 58 11 11 ext. 34"],
    ]
