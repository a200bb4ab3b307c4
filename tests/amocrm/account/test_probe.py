"""A paused account is asked now and then, and goes on by itself once it answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf
from amocrm.account import probe
from amocrm.account.probe import probe_if_due
from amocrm.api import pause
from amocrm.errors import AccountPaused
from amocrm.models import AccountState
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import Remembered, request_of
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_is_cached() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def paused(kind: str = "token", *, due: bool = True) -> None:
    pause.begin(conf.current().account, kind, "the reason")
    if due:
        AccountState.objects.update(next_probe_at=timezone.now() - timedelta(seconds=1))


def requests_of(sandbox: RunningSandbox) -> list[str]:
    return [request["path"] for request in sandbox.control.requests()]


def test_nothing_is_asked_while_nothing_is_paused(sandbox: RunningSandbox) -> None:
    probe_if_due()
    assert requests_of(sandbox) == []


def test_nothing_is_asked_before_the_probe_is_due(sandbox: RunningSandbox) -> None:
    paused(due=False)
    probe_if_due()
    assert requests_of(sandbox) == []
    assert pause.current() is not None


def test_a_probe_that_succeeds_ends_the_pause(sandbox: RunningSandbox) -> None:
    paused()
    probe_if_due()
    assert pause.current() is None
    assert requests_of(sandbox) == ["/api/v4/account"]


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "answer", "status": 401, "body": {"detail": "revoked"}},
        {"action": "answer", "status": 402, "body": {"detail": "unpaid"}},
        {"action": "answer", "status": 403, "body": "<html>"},
        {"action": "answer", "status": 429, "body": "<html>"},
        {"action": "answer", "status": 502, "body": "<html>"},
        {"action": "answer", "status": 200, "body": "<html>"},
        {"action": "lose_answer"},
    ],
    ids=lambda fault: str(fault.get("status", fault["action"])),
)
def test_a_probe_that_fails_leaves_the_pause_and_is_followed_by_another(
    sandbox: RunningSandbox, fault: dict[str, Any]
) -> None:
    paused()
    since = AccountState.objects.get().paused_since
    sandbox.control.fault(**fault)
    probe_if_due()
    state = AccountState.objects.get()
    assert state.paused_since == since
    assert state.probes == 1
    assert state.next_probe_at is not None
    assert state.next_probe_at > timezone.now() + timedelta(seconds=50)
    probe_if_due()
    assert len(requests_of(sandbox)) == 1


def test_a_probe_that_finds_other_trouble_says_so(sandbox: RunningSandbox) -> None:
    paused("token")
    sandbox.control.fault("answer", status=402, body={"detail": "Аккаунт не оплачен"})
    probe_if_due()
    found = pause.current()
    assert found is not None
    assert found.kind == "unpaid"
    assert "Аккаунт не оплачен" in found.reason


def test_a_probe_without_redis_fails(sandbox: RunningSandbox, redis_server: RedisServer) -> None:
    paused()
    redis_server.kill()
    probe_if_due()
    assert pause.current() is not None


def test_a_pause_for_a_pipeline_lasts_until_it_is_there(
    sandbox: RunningSandbox, settings: Settings
) -> None:
    settings.AMOCRM_PIPELINE_ID = 999
    paused("stage")
    probe_if_due()
    assert pause.current() is not None


def test_an_account_that_gives_no_right_to_leads_stays_paused(
    sandbox: RunningSandbox,
) -> None:
    paused("scope")
    sandbox.control.fault(
        "answer", path="/api/v4/leads.*", status=403, body={"detail": "Invalid scope"}
    )
    probe_if_due()
    assert pause.current() is not None


def test_a_probe_does_not_end_a_pause_that_began_after_it(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused()
    real = probe._trouble

    def meanwhile(*args: Any) -> str:
        pause.resume("olga")
        paused("unpaid", due=False)
        return real(*args)

    monkeypatch.setattr(probe, "_trouble", meanwhile)
    probe_if_due()
    found = pause.current()
    assert found is not None
    assert found.kind == "unpaid"


def test_a_revoked_token_pauses_deliveries_which_go_on_by_themselves(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.config(revoked_tokens=["*"])
    request = request_of()
    with pytest.raises(AccountPaused):
        upsert_lead(request, Remembered())
    calls = len(requests_of(sandbox))
    with pytest.raises(AccountPaused):
        upsert_lead(request, Remembered())
    assert len(requests_of(sandbox)) == calls

    sandbox.control.config(revoked_tokens=[])
    AccountState.objects.update(next_probe_at=timezone.now())
    probe_if_due()
    assert upsert_lead(request, Remembered()).action == "created"
    assert len(sandbox.control.state()["leads"]) == 1


def test_a_first_stage_that_was_deleted_is_not_used_any_more(sandbox: RunningSandbox) -> None:
    upsert_lead(request_of("warm@up.kz", "+77770000001", stage=32392165), Remembered())
    sandbox.control.config(drop_stage=32392159)
    result = upsert_lead(request_of(stage=None), Remembered())
    (lead,) = [one for one in sandbox.control.state()["leads"] if one["id"] == result.lead_id]
    assert lead["status_id"] == 32392165
    assert pause.current() is None
