"""When a call is sent, and what everybody is told about its answer."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
import responses
from django.utils import timezone

from amocrm.api import pause, rate_limit, sender
from amocrm.api.rate_limit import Limiter, Permit
from amocrm.api.slots import OwnSlots
from amocrm.errors import AccountPaused, AmoError, ComeBack, RateLimited
from amocrm.models import AccountState
from tests.amocrm.clients import API, READS, WRITES, any_url, client_of, nothing

pytestmark = pytest.mark.django_db

# --- how long to wait ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("7", None, 7),
        (None, {"retry_after": 9}, 9),
        (None, {"retry_after": "9"}, 9),
        ("7", {"retry_after": 9}, 7),
        (format_datetime(datetime(2001, 1, 1, tzinfo=UTC)), {"retry_after": 9}, 9),
        ("soon", None, pause.DEFAULT_BACKOFF),
        ("nan", None, pause.DEFAULT_BACKOFF),
        ("-5", None, pause.DEFAULT_BACKOFF),
        ("0", {"retry_after": None}, pause.DEFAULT_BACKOFF),
        (None, {"retry_after": {"x": 1}}, pause.DEFAULT_BACKOFF),
        (f"Mon, 01 Jan 2020 00:00:00 +{'9' * 20}", None, pause.DEFAULT_BACKOFF),
        ("inf", None, pause.LONGEST_WAIT),
        ("1e300", None, pause.LONGEST_WAIT),
    ],
)
def test_a_429_holds_as_long_as_it_asks(
    amocrm: responses.RequestsMock, header: str | None, body: Any, seconds: float
) -> None:
    headers = {"Retry-After": header} if header else {}
    amocrm.get(f"{API}/account", status=429, headers=headers, json=body)
    before = timezone.now()
    with client_of() as client, pytest.raises(RateLimited):
        client.account()
    after = timezone.now()
    backoff_until = AccountState.objects.get().backoff_until
    assert backoff_until is not None
    assert before <= backoff_until - timedelta(seconds=seconds) <= after


def test_a_429_may_name_the_moment_until_which_to_wait(amocrm: responses.RequestsMock) -> None:
    before = timezone.now()
    moment = before.replace(microsecond=0) + timedelta(seconds=40)
    amocrm.get(f"{API}/account", status=429, headers={"Retry-After": format_datetime(moment)})
    with client_of() as client, pytest.raises(RateLimited):
        client.account()
    backoff_until = AccountState.objects.get().backoff_until
    assert backoff_until is not None
    rounded = timedelta(seconds=0.1)
    assert -rounded <= backoff_until - moment <= timezone.now() - before + rounded


def test_after_one_429_no_process_sends_anything(amocrm: responses.RequestsMock) -> None:
    amocrm.get(f"{API}/account", status=429)
    with client_of() as client, client_of() as another:
        with pytest.raises(RateLimited):
            client.account()
        for one in (client, another):
            with pytest.raises(AccountPaused, match="slow down"):
                one.account()
    assert len(amocrm.calls) == 1


def test_who_waited_for_a_permit_while_a_pause_began_sends_nothing(
    amocrm: responses.RequestsMock,
) -> None:
    class PausesMeanwhile(Limiter):
        def acquire(self, max_wait: float) -> Permit:
            pause.begin("school.amocrm.ru", "token", "revoked meanwhile")
            return super().acquire(max_wait)

    with client_of() as client:
        cast(Any, client.sender)._limiter = PausesMeanwhile(
            cast(Any, client.sender)._limiter._slots, 1000
        )
        with pytest.raises(AccountPaused, match="revoked meanwhile"):
            client.account()
    assert len(amocrm.calls) == 0


def test_a_probe_speaks_to_a_paused_account_and_does_not_begin_a_pause(
    amocrm: responses.RequestsMock,
) -> None:
    amocrm.get(f"{API}/account", status=402, json={"detail": "Not paid"})
    with client_of() as client, pytest.raises(AccountPaused):
        client.probing().account()
    assert AccountState.objects.count() == 0
    pause.begin("school.amocrm.ru", "token", "revoked")
    with client_of() as client, pytest.raises(AccountPaused):
        client.probing().account()
    state = AccountState.objects.get()
    assert state.pause_kind == "unpaid"
    assert "Not paid" in state.pause_reason


# --- the order of things ---------------------------------------------------------------------


class Recorder(Limiter):
    """A limiter that tells when it is asked, and gives permits of any age."""

    def __init__(self, told: list[str], permits: list[Permit] | None = None) -> None:
        super().__init__(OwnSlots(), 1000)
        self.told = told
        self.permits = permits or []

    def acquire(self, max_wait: float) -> Permit:
        self.told.append("limiter" if max_wait else "limiter without waiting")
        return self.permits.pop(0) if self.permits else Permit()


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine of the tests is, a permit is fresh unless a test says no."""
    monkeypatch.setattr(rate_limit, "FRESH_FOR", 60.0)


def grow_old(permit: Permit) -> Permit:
    object.__setattr__(permit, "taken_at", time.monotonic() - 3600)
    return permit


def old_permit() -> Permit:
    return grow_old(Permit())


def in_order(amocrm: responses.RequestsMock, told: list[str]) -> None:
    def called(request: object) -> tuple[int, dict[str, str], str]:
        told.append("sent")
        return 200, {}, '[{"id": 7, "contact_id": 8}]'

    amocrm.add_callback(responses.POST, f"{API}/leads/complex", called)


@pytest.mark.usefixtures("steady")
def test_limiter_then_checkpoint_then_claim_then_send(amocrm: responses.RequestsMock) -> None:
    told: list[str] = []
    in_order(amocrm, told)
    with client_of() as client:
        cast(Any, client.sender)._limiter = Recorder(told)
        guarded = client.guarded_by(lambda: told.append("checkpoint"))
        guarded.create_lead({}, just_before=lambda: told.append("claim"))
    assert told == ["limiter", "checkpoint", "claim", "sent"]


@pytest.mark.usefixtures("steady")
def test_a_permit_that_got_old_at_the_checkpoint_is_replaced(
    amocrm: responses.RequestsMock,
) -> None:
    told: list[str] = []
    in_order(amocrm, told)
    with client_of() as client:
        cast(Any, client.sender)._limiter = Recorder(told, [old_permit()])
        guarded = client.guarded_by(lambda: told.append("checkpoint"))
        guarded.create_lead({}, just_before=lambda: told.append("claim"))
    assert told == ["limiter", "checkpoint", "limiter", "checkpoint", "claim", "sent"]


def create_slowly(told: list[str], limiter: type[Recorder]) -> None:
    """Make a lead; the claim takes so long that its permit gets old."""
    permit = Permit()

    def slow_claim() -> None:
        told.append("claim")
        grow_old(permit)

    with client_of() as client:
        cast(Any, client.sender)._limiter = limiter(told, [permit])
        client.create_lead({}, just_before=slow_claim)


@pytest.mark.usefixtures("steady")
def test_after_a_claim_that_took_long_another_permit_is_waited_for(
    amocrm: responses.RequestsMock,
) -> None:
    told: list[str] = []
    in_order(amocrm, told)
    create_slowly(told, Recorder)
    assert told == ["limiter", "claim", "limiter", "sent"]


@pytest.mark.usefixtures("steady")
def test_without_a_permit_after_a_slow_claim_nothing_is_sent(
    amocrm: responses.RequestsMock,
) -> None:
    told: list[str] = []
    in_order(amocrm, told)

    class Full(Recorder):
        def acquire(self, max_wait: float) -> Permit:
            if self.told:
                assert max_wait <= sender.LATE_MAX_WAIT
                raise ComeBack("none is free")
            return super().acquire(max_wait)

    with pytest.raises(ComeBack) as raised:
        create_slowly(told, Full)
    assert raised.value.not_done
    assert "sent" not in told


@pytest.mark.usefixtures("steady")
def test_a_pause_that_begins_while_another_permit_is_waited_for_stops_the_call(
    amocrm: responses.RequestsMock,
) -> None:
    told: list[str] = []
    in_order(amocrm, told)

    class PausesMeanwhile(Recorder):
        def acquire(self, max_wait: float) -> Permit:
            if self.told:
                pause.begin("school.amocrm.ru", "token", "revoked meanwhile")
            return super().acquire(max_wait)

    with pytest.raises(AccountPaused, match="revoked meanwhile") as raised:
        create_slowly(told, PausesMeanwhile)
    assert raised.value.not_done
    assert "sent" not in told


def test_a_slow_database_slows_down_but_does_not_stop(amocrm: responses.RequestsMock) -> None:
    told: list[str] = []
    in_order(amocrm, told)
    with client_of() as client:
        cast(Any, client.sender)._limiter = Recorder(told, [old_permit() for _ in range(10)])
        client.guarded_by(lambda: told.append("checkpoint")).create_lead({}, just_before=nothing)
    assert told[-1] == "sent"
    assert told.count("checkpoint") == sender.CHECKPOINTS


def test_who_stalls_between_claim_and_sending_sends_nothing(
    amocrm: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(sender, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def stall() -> None:
        now[0] += sender.LONGEST_STALL + 0.1

    told: list[str] = []
    in_order(amocrm, told)
    with client_of() as client, pytest.raises(ComeBack, match="stalled") as raised:
        client.create_lead({}, just_before=stall)
    assert raised.value.not_done
    assert told == []


def test_a_checkpoint_that_raises_stops_the_call(amocrm: responses.RequestsMock) -> None:
    def lost() -> None:
        raise ComeBack("the lock is gone")

    with client_of() as client, pytest.raises(ComeBack, match="the lock is gone"):
        client.guarded_by(lost).account()
    assert len(amocrm.calls) == 0


@pytest.mark.parametrize("call", [*READS, *(f"write {name}" for name in WRITES)])
def test_every_call_passes_the_checkpoint(amocrm: responses.RequestsMock, call: str) -> None:
    run = WRITES[call.removeprefix("write ")] if call.startswith("write") else READS[call]
    for method in (responses.GET, responses.POST, responses.PATCH):
        amocrm.add(method, url=any_url(), status=500)
    passed: list[int] = []
    with client_of() as client, pytest.raises(AmoError):
        run(client.guarded_by(lambda: passed.append(1)))
    assert passed  # more than once where the machine is slow: see the tests above
