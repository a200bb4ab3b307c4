"""A 403 for one lead refuses that one; the account is paused only where others say the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from amocrm.api import pause
from amocrm.errors import AccountPaused, AmoError, Forbidden, NotDone
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import Remembered, request_of

pytestmark = pytest.mark.django_db

JSON = {"title": "Forbidden", "status": 403, "detail": "Invalid scope"}
HTML = "<html><head><title>403 Forbidden</title></head></html>"
COMPLEX = "/api/v4/leads/complex"
OTHER = ("other@x.kz", "+77012223344")
THIRD = ("third@x.kz", "+77012223355")


def forbid(sandbox: RunningSandbox, lead_id: int) -> None:
    """Answer every write to the lead with 403."""
    for method, path in (("PATCH", ""), ("POST", "/notes")):
        sandbox.control.fault(
            "answer",
            method=method,
            path=f"/api/v4/leads/{lead_id}{path}",
            status=403,
            body=JSON,
            times=-1,
        )


def deliver(who: tuple[str, str]) -> int:
    return upsert_lead(request_of(*who), Remembered()).lead_id


def test_one_forbidden_lead_fails_its_own_form_and_nobody_elses(sandbox: RunningSandbox) -> None:
    lead_id = upsert_lead(request_of(), Remembered()).lead_id
    forbid(sandbox, lead_id)

    with pytest.raises(Forbidden, match="Invalid scope"):
        upsert_lead(request_of(), Remembered())
    with pytest.raises(Forbidden):
        upsert_lead(request_of(), Remembered())

    assert pause.current() is None
    assert deliver(OTHER) != lead_id


def test_a_second_forbidden_lead_pauses_the_account(sandbox: RunningSandbox) -> None:
    leads = [upsert_lead(request_of(), Remembered()).lead_id, deliver(OTHER)]
    for lead_id in leads:
        forbid(sandbox, lead_id)
    with pytest.raises(Forbidden):
        upsert_lead(request_of(), Remembered())

    with pytest.raises(AccountPaused, match="Invalid scope"):
        deliver(OTHER)

    paused = pause.current()
    assert paused is not None
    assert paused.kind == "scope"


def test_one_that_was_forbidden_long_ago_counts_no_more(sandbox: RunningSandbox) -> None:
    leads = [upsert_lead(request_of(), Remembered()).lead_id, deliver(OTHER)]
    for lead_id in leads:
        forbid(sandbox, lead_id)
    with pytest.raises(Forbidden):
        upsert_lead(request_of(), Remembered())

    with time_machine.travel(timezone.now() + timedelta(minutes=16)), pytest.raises(Forbidden):
        deliver(OTHER)


def test_a_lead_that_may_not_be_made_waits_and_a_second_one_pauses(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.fault("answer", path=COMPLEX, status=403, body=JSON, times=-1)
    request = request_of()
    for _ in range(2):
        with pytest.raises(NotDone, match="Invalid scope"):
            upsert_lead(request, Remembered())
    assert pause.current() is None

    with pytest.raises(AccountPaused):
        deliver(OTHER)
    with pytest.raises(AccountPaused):
        deliver(THIRD)


def test_a_403_of_a_network_in_front_of_amocrm_pauses_nobody(sandbox: RunningSandbox) -> None:
    """Only this one call is refused: the account answers when it is asked."""
    sandbox.control.fault("answer", path=COMPLEX, status=403, body=HTML, times=-1)
    with pytest.raises(NotDone):
        upsert_lead(request_of(), Remembered())
    assert pause.current() is None
    assert sandbox.control.requests()[-1]["path"] == "/api/v4/account"


@pytest.mark.parametrize("path", [COMPLEX, "/api/v4/contacts"])
def test_a_block_pauses_everybody(sandbox: RunningSandbox, path: str) -> None:
    sandbox.control.fault("answer", path=path, status=403, body=HTML, times=-1)
    sandbox.control.fault("answer", path="/api/v4/account", status=403, body=HTML, times=-1)
    with pytest.raises(AmoError):
        upsert_lead(request_of(), Remembered())
    paused = pause.current()
    assert paused is not None
    assert paused.kind == "blocked"
