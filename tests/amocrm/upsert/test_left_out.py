"""One detail that amoCRM does not take costs the lead that detail, and nobody else anything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from amocrm.api import pause
from amocrm.counters import totals
from amocrm.errors import AccountPaused, OutcomeUnknown, Rejected
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.payloads import PLAIN_AFTER
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import EMAIL, PHONE, Remembered, request_of

pytestmark = pytest.mark.django_db

FIRST_STAGE, CARD = 32392159, 32392174
COMPLEX = "/api/v4/leads/complex"
ENUM = "_embedded.contacts.0.custom_fields_values.0.values.0.enum_code"


def lead_of(sandbox: RunningSandbox, lead_id: int) -> dict[str, Any]:
    (lead,) = [one for one in sandbox.control.state()["leads"] if one["id"] == lead_id]
    return dict(lead)


def notes_of(sandbox: RunningSandbox, lead_id: int) -> str:
    notes = sandbox.control.state()["notes"]
    return "\n".join(note["text"] for note in notes if note["entity_id"] == lead_id)


def rejected(path: str) -> dict[str, Any]:
    """amoCRM's answer where it does not take one value."""
    error = {"path": path, "code": "FieldNotExpected", "detail": "This field was not expected."}
    return {"validation-errors": [{"request_id": "0", "errors": [error]}]}


# A stage that somebody deleted ------------------------------------------------------------------


@pytest.mark.parametrize("is_cached", [False, True], ids=["known", "not known yet"])
def test_leads_of_a_deleted_stage_go_to_the_first_one_and_say_so(
    sandbox: RunningSandbox, is_cached: bool
) -> None:
    if is_cached:
        upsert_lead(request_of("warm@up.kz", "+77770000001"), Remembered())
    sandbox.control.config(drop_stage=CARD)

    result = upsert_lead(request_of(stage=CARD), Remembered())

    assert result.action == "created"
    assert lead_of(sandbox, result.lead_id)["status_id"] == FIRST_STAGE
    assert f"Этапа {CARD}" in notes_of(sandbox, result.lead_id)
    assert totals()["stage_missing"] == 1
    assert pause.current() is None


def test_everybody_else_is_delivered_as_ever(sandbox: RunningSandbox) -> None:
    sandbox.control.config(drop_stage=CARD)
    upsert_lead(request_of(stage=CARD), Remembered())

    other = upsert_lead(request_of("other@x.kz", "+77012223344"), Remembered())

    assert lead_of(sandbox, other.lead_id)["status_id"] == 32392165
    assert "Этапа" not in notes_of(sandbox, other.lead_id)


def test_a_deleted_stage_moves_no_lead_that_is_there(sandbox: RunningSandbox) -> None:
    first = upsert_lead(request_of(), Remembered())
    sandbox.control.config(drop_stage=CARD)

    second = upsert_lead(request_of(stage=CARD), Remembered())

    assert second.lead_id == first.lead_id
    assert lead_of(sandbox, first.lead_id)["status_id"] == 32392165
    assert f"Этапа {CARD}" in notes_of(sandbox, first.lead_id)


def test_an_account_that_takes_no_lead_in_its_first_stage_is_paused(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.fault(
        "answer", path=COMPLEX, times=-1, status=400, body=rejected("0.status_id")
    )
    with pytest.raises(AccountPaused):
        upsert_lead(request_of(), Remembered())
    paused = pause.current()
    assert paused is not None
    assert paused.kind == "stage"
    assert "AMOCRM_PIPELINE_ID" in paused.reason


# The kind of an e-mail or phone -----------------------------------------------------------------


@pytest.mark.parametrize("path", [ENUM, f"0.{ENUM}"])
def test_a_kind_that_an_account_does_not_know_is_left_out(
    sandbox: RunningSandbox, path: str
) -> None:
    sandbox.control.fault(
        "answer", path=COMPLEX, times=-1, body_has="enum_code", status=400, body=rejected(path)
    )

    result = upsert_lead(request_of(), Remembered())

    assert result.action == "created"
    (contact,) = sandbox.control.state()["contacts"]
    assert (contact["emails"], contact["phones"]) == ([EMAIL], [PHONE])


def test_so_it_is_when_something_is_appended_to_a_contact(sandbox: RunningSandbox) -> None:
    upsert_lead(request_of(), Remembered())
    sandbox.control.fault(
        "answer",
        method="PATCH",
        path=r"/api/v4/contacts/\d+",
        body_has="enum_code",
        status=400,
        body=rejected("custom_fields_values.0.values.1.enum_code"),
    )

    upsert_lead(request_of(EMAIL, "+77012223344"), Remembered())

    (contact,) = sandbox.control.state()["contacts"]
    assert contact["phones"] == [PHONE, "+77012223344"]


def test_what_a_lead_cannot_do_without_is_refused(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", path=COMPLEX, times=-1, status=400, body=rejected("0.name"))
    with pytest.raises(Rejected):
        upsert_lead(request_of(), Remembered())
    assert pause.current() is None


# A body that fails again and again --------------------------------------------------------------


def test_after_some_failures_a_lead_is_sent_without_what_it_can_do_without(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.fault("answer", path=COMPLEX, times=-1, body_has="UTM_SOURCE", status=500)
    progress = Remembered()
    for attempts in range(PLAIN_AFTER):
        later = time_machine.travel(timezone.now() + timedelta(hours=attempts))
        with later, pytest.raises(OutcomeUnknown):
            upsert_lead(request_of(lost_writes=attempts), progress)

    with time_machine.travel(timezone.now() + timedelta(hours=PLAIN_AFTER)):
        result = upsert_lead(request_of(lost_writes=PLAIN_AFTER), progress)

    lead = lead_of(sandbox, result.lead_id)
    assert result.action == "created"
    assert lead["tags"] == []
    assert "без них" in notes_of(sandbox, result.lead_id)


def test_until_then_the_lead_has_them(sandbox: RunningSandbox) -> None:
    result = upsert_lead(request_of(lost_writes=PLAIN_AFTER - 1), Remembered())
    assert lead_of(sandbox, result.lead_id)["tags"] == ["профтест"]
    assert "без них" not in notes_of(sandbox, result.lead_id)
