"""How the client sends, what it makes of odd answers, and of calls that fail under way."""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import responses
from django.utils import timezone

from amocrm import client as client_module
from amocrm import conf, exchange, limiter, pause
from amocrm.client import Client
from amocrm.errors import (
    AccountPaused,
    AmoError,
    ComeBack,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    RetryLater,
)
from amocrm.limiter import Limiter, Place
from amocrm.models import AccountState
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.clients import API, READS, TOKEN, WRITES, client_of, create, nothing
from tests.amocrm.raw_server import answer, one_answer, read_request, serving
from tests.servers import free_port

pytestmark = pytest.mark.django_db

CREATED = [{"id": 7, "contact_id": 8, "company_id": None, "request_id": ["x"], "merged": False}]


@pytest.fixture
def amocrm() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def account() -> Iterator[Client]:
    """A client of the sandbox."""
    with client_of(conf.current().base_url) as client:
        yield client


# --- what a success must look like ---------------------------------------------------------

ODD: dict[str, Any] = {
    "empty": {"body": b""},
    "HTML": {"body": "<html>Maintenance</html>", "content_type": "text/html"},
    "cut off": {"body": b'[{"id": 1'},
    "no text at all": {"body": b"\xff\xfe\x00\x80{"},
    "a number": {"json": 17},
    "a text": {"json": "ok"},
    "nested too deeply": {"body": b"[" * 100_000},
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("call", READS)
def test_a_read_that_cannot_be_read_is_tried_again_later(
    amocrm: responses.RequestsMock, call: str, odd: str
) -> None:
    amocrm.add(responses.GET, url=any_url(), status=200, **ODD[odd])
    with client_of() as client, pytest.raises(RetryLater) as raised:
        READS[call](client)
    assert type(raised.value) is RetryLater
    assert raised.value.status == 200


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("call", WRITES)
def test_a_write_whose_answer_cannot_be_read_is_unknown(
    amocrm: responses.RequestsMock, call: str, odd: str
) -> None:
    for method in (responses.POST, responses.PATCH):
        amocrm.add(method, url=any_url(), status=200, **ODD[odd])
    with client_of() as client, pytest.raises(OutcomeUnknown) as raised:
        WRITES[call](client)
    assert not raised.value.not_done


@pytest.mark.parametrize(
    "body",
    [[], {}, [{}], [{"id": None}], [{"id": "x"}], [1], [{"id": 1}, {"id": 2}], {"id": 1}],
    ids=repr,
)
def test_a_create_without_one_readable_id_is_unknown(
    amocrm: responses.RequestsMock, body: Any
) -> None:
    amocrm.post(f"{API}/leads/complex", json=body, headers={"X-Request-Id": "r"})
    with client_of() as client, pytest.raises(OutcomeUnknown) as raised:
        create(client)
    assert raised.value.request_id == "r"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_pages_differ_in_the_status_of_a_success(
    amocrm: responses.RequestsMock, status: int
) -> None:
    amocrm.post(f"{API}/leads/complex", json=CREATED, status=status)
    with client_of() as client:
        assert client.create_lead({}, just_before=nothing).lead_id == 7


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"_embedded": None},
        {"_embedded": []},
        {"_embedded": {"contacts": None}},
        {"_embedded": {"contacts": []}},
    ],
    ids=repr,
)
def test_a_list_without_rows_is_empty(amocrm: responses.RequestsMock, body: Any) -> None:
    amocrm.add(responses.GET, url=any_url(), json=body)
    with client_of() as client:
        assert client.search_contacts("x", 1).rows == []


@pytest.mark.parametrize(
    "embedded", [{"contacts": "x"}, {"contacts": [1]}, [1], {"contacts": [{"id": "x"}]}], ids=repr
)
def test_a_list_of_something_else_is_tried_again_later(
    amocrm: responses.RequestsMock, embedded: Any
) -> None:
    body, headers = {"_embedded": embedded}, {"X-Request-Id": "r"}
    amocrm.add(responses.GET, url=any_url(), json=body, headers=headers)
    with client_of() as client, pytest.raises(RetryLater, match="cannot be read") as raised:
        client.search_contacts("x", 1)
    assert (raised.value.status, raised.value.request_id) == (200, "r")


def test_204_is_nothing_found(amocrm: responses.RequestsMock) -> None:
    amocrm.add(responses.GET, url=any_url(), status=204)
    with client_of() as client:
        assert client.lead(1) is None
        assert client.contact(1) is None
        assert client.search_contacts("x", 1).rows == []
        assert client.note_texts(1, 1).rows == []


def test_a_json_404_for_one_thing_is_nothing_found_too(amocrm: responses.RequestsMock) -> None:
    amocrm.add(responses.GET, url=any_url(), status=404, json={"title": "Not Found"})
    with client_of() as client:
        assert client.lead(1) is None
        assert client.contact(1) is None


def test_an_html_404_is_not_nothing_found(amocrm: responses.RequestsMock) -> None:
    amocrm.add(responses.GET, url=any_url(), status=404, body="<html>nginx</html>")
    with client_of() as client, pytest.raises(NotSent):
        client.lead(1)


def test_a_patch_may_be_answered_with_nothing(amocrm: responses.RequestsMock) -> None:
    amocrm.add(responses.PATCH, url=any_url(), status=204)
    with client_of() as client:
        client.update_lead(1, {"name": "x"})


def test_notes_of_other_kinds_have_no_text(amocrm: responses.RequestsMock) -> None:
    notes = [{"params": {"text": "one"}}, {"params": []}, {"params": None}, {}, {"params": ["x"]}]
    amocrm.add(responses.GET, url=any_url(), json={"_embedded": {"notes": notes}})
    with client_of() as client:
        assert client.note_texts(1, 1).rows == ["one", "", "", "", ""]


def test_a_giant_body_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LONGEST_BODY", 100_000)
    packed = gzip.compress(b" " * 50_000_000)
    assert len(packed) < 100_000
    with (
        serving(one_answer(answer(packed, headers="Content-Encoding: gzip\r\n"))) as url,
        client_of(url) as client,
        pytest.raises(RetryLater, match="more than 100000 bytes"),
    ):
        client.account()


def void(*_: object) -> None:
    return None


def any_url() -> Any:
    return re.compile(r"https://school\.amocrm\.ru/.*")


# --- how long to wait ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("7", None, 7),
        (None, {"retry_after": 9}, 9),
        (None, {"retry_after": "9"}, 9),
        ("7", {"retry_after": 9}, 7),
        (format_datetime(datetime(2001, 1, 1, tzinfo=UTC)), {"retry_after": 9}, 9),
        ("soon", None, pause.DEFAULT_HOLD),
        ("nan", None, pause.DEFAULT_HOLD),
        ("-5", None, pause.DEFAULT_HOLD),
        ("0", {"retry_after": None}, pause.DEFAULT_HOLD),
        (None, {"retry_after": {"x": 1}}, pause.DEFAULT_HOLD),
        (f"Mon, 01 Jan 2020 00:00:00 +{'9' * 20}", None, pause.DEFAULT_HOLD),
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
    held_until = AccountState.objects.get().held_until
    assert held_until is not None
    assert before <= held_until - timedelta(seconds=seconds) <= after


def test_a_429_may_name_the_moment_until_which_to_wait(amocrm: responses.RequestsMock) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=40)
    amocrm.get(f"{API}/account", status=429, headers={"Retry-After": format_datetime(moment)})
    with client_of() as client, pytest.raises(RateLimited):
        client.account()
    held_until = AccountState.objects.get().held_until
    assert held_until is not None
    assert abs(held_until - moment) < timedelta(seconds=2)


def test_after_one_429_no_process_sends_anything(amocrm: responses.RequestsMock) -> None:
    amocrm.get(f"{API}/account", status=429)
    with client_of() as client, client_of() as another:
        with pytest.raises(RateLimited):
            client.account()
        for one in (client, another):
            with pytest.raises(AccountPaused, match="slow down"):
                one.account()
    assert len(amocrm.calls) == 1


def test_who_waited_for_a_place_while_a_pause_began_sends_nothing(
    amocrm: responses.RequestsMock,
) -> None:
    class PausesMeanwhile(Limiter):
        def wait(self, patience: float) -> Place:
            pause.begin("school.amocrm.ru", "token", "revoked meanwhile")
            return super().wait(patience)

    with client_of() as client:
        client._calls = PausesMeanwhile(client._calls._bucket, 1000)
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
    """A limiter that tells when it is asked, and gives places of any age."""

    def __init__(self, told: list[str], places: list[Place] | None = None) -> None:
        super().__init__(limiter._own_bucket("test", 1000), 1000)
        self.told = told
        self.places = places or []

    def wait(self, patience: float) -> Place:
        self.told.append("limiter" if patience else "limiter without waiting")
        return self.places.pop(0) if self.places else Place()


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine of the tests is, a place is fresh unless a test says no."""
    monkeypatch.setattr(limiter, "FRESH_FOR", 60.0)


def grow_old(place: Place) -> Place:
    object.__setattr__(place, "taken_at", time.monotonic() - 3600)
    return place


def old_place() -> Place:
    return grow_old(Place())


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
        client._calls = Recorder(told)
        guarded = client.guarded_by(lambda: told.append("checkpoint"))
        guarded.create_lead({}, just_before=lambda: told.append("claim"))
    assert told == ["limiter", "checkpoint", "claim", "sent"]


@pytest.mark.usefixtures("steady")
def test_a_place_that_got_old_at_the_checkpoint_is_taken_anew(
    amocrm: responses.RequestsMock,
) -> None:
    told: list[str] = []
    in_order(amocrm, told)
    with client_of() as client:
        client._calls = Recorder(told, [old_place()])
        guarded = client.guarded_by(lambda: told.append("checkpoint"))
        guarded.create_lead({}, just_before=lambda: told.append("claim"))
    assert told == ["limiter", "checkpoint", "limiter", "checkpoint", "claim", "sent"]


@pytest.mark.usefixtures("steady")
def test_nothing_waits_after_a_claim_that_took_long(amocrm: responses.RequestsMock) -> None:
    told: list[str] = []
    in_order(amocrm, told)
    with client_of() as client:
        place = Place()
        client._calls = Recorder(told, [place])

        def slow_claim() -> None:
            told.append("claim")
            grow_old(place)

        client.create_lead({}, just_before=slow_claim)
    assert told == ["limiter", "claim", "limiter without waiting", "sent"]


@pytest.mark.usefixtures("steady")
def test_without_a_place_after_a_slow_claim_nothing_is_sent(
    amocrm: responses.RequestsMock,
) -> None:
    told: list[str] = []
    in_order(amocrm, told)

    class Full(Recorder):
        def wait(self, patience: float) -> Place:
            if not patience:
                raise ComeBack("none is free")
            return super().wait(patience)

    place = Place()
    with client_of() as client:
        client._calls = Full(told, [place])
        with pytest.raises(ComeBack) as raised:
            client.create_lead({}, just_before=lambda: void(grow_old(place)))
    assert raised.value.not_done
    assert "sent" not in told


def test_a_slow_database_slows_down_but_does_not_stop(amocrm: responses.RequestsMock) -> None:
    told: list[str] = []
    in_order(amocrm, told)
    with client_of() as client:
        client._calls = Recorder(told, [old_place() for _ in range(10)])
        client.guarded_by(lambda: told.append("checkpoint")).create_lead({}, just_before=nothing)
    assert told[-1] == "sent"
    assert told.count("checkpoint") == client_module.CHECKPOINTS


def test_who_stalls_between_claim_and_sending_sends_nothing(
    amocrm: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "LONGEST_STALL", 0.05)
    told: list[str] = []
    in_order(amocrm, told)
    with client_of() as client, pytest.raises(ComeBack, match="stalled") as raised:
        client.create_lead({}, just_before=lambda: time.sleep(0.06))
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


def test_no_redirect_is_followed_with_the_token(amocrm: responses.RequestsMock) -> None:
    amocrm.get(f"{API}/account", status=301, headers={"Location": "https://evil.example/"})
    amocrm.get("https://evil.example/", json={"stolen": True})
    with client_of() as client, pytest.raises(RetryLater):
        client.account()
    assert [call.request.url for call in amocrm.calls if "evil" in str(call.request.url)] == []


def test_no_proxy_or_netrc_of_the_machine_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with (
        serving(one_answer(answer(b'{"id": 1}'))) as url,
        client_of(url) as client,
    ):
        assert client.account() == {"id": 1}


@pytest.mark.parametrize("token", ["", " ", "два", "a b", " padded"])
def test_a_token_that_cannot_be_one_pauses_nothing_and_sends_nothing(token: str) -> None:
    settings = replace(conf.current(), access_token=token)
    with pytest.raises(AccountPaused) as raised, client_module.connect(settings):
        pass
    assert not token.strip() or token not in str(raised.value)


# --- real faults -------------------------------------------------------------------------------


def test_a_lost_answer_to_a_create_is_unknown_and_was_carried_out(
    sandbox: RunningSandbox, account: Client
) -> None:
    sandbox.control.fault("lose_answer", method="POST")
    with pytest.raises(OutcomeUnknown) as raised:
        account.create_lead(a_lead(), just_before=nothing)
    assert not raised.value.not_done
    assert len(sandbox.control.state()["leads"]) == 1
    assert sandbox.control.state()["requests"]["total"] == 1


def test_a_reset_is_unknown_for_a_create_and_a_retry_for_a_read(
    sandbox: RunningSandbox, account: Client
) -> None:
    sandbox.control.fault("reset", times=2)
    with pytest.raises(OutcomeUnknown):
        account.create_lead(a_lead(), just_before=nothing)
    with pytest.raises(RetryLater) as raised:
        account.account()
    assert type(raised.value) is RetryLater


def test_a_trickling_answer_to_a_create_is_unknown(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("trickle", method="POST", delay=0.2)
    with client_of(conf.current().base_url, timeout=0.5) as client:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match=r"within 0\.5 s"):
            client.create_lead(a_lead(), just_before=nothing)
    assert time.monotonic() - started < 10


def test_an_answer_that_comes_too_late_is_unknown(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("delay_answer", delay=1.5, times=2)
    with client_of(conf.current().base_url, timeout=0.3) as client:
        with pytest.raises(OutcomeUnknown):
            client.create_lead(a_lead(), just_before=nothing)
        with pytest.raises(RetryLater):
            client.account()


def test_an_answer_of_unknown_length_that_was_cut_off_is_not_believed() -> None:
    def handler(connection: Any) -> None:
        read_request(connection)
        connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"id": 1}')
        time.sleep(2)  # there may be more

    with (
        serving(handler) as url,
        client_of(url, timeout=0.3) as client,
        pytest.raises(RetryLater, match="no whole answer"),
    ):
        client.account()


def test_a_refused_connection_was_surely_not_sent() -> None:
    with client_of(f"http://127.0.0.1:{free_port()}") as client:
        for call in (create, READS["account"]):
            with pytest.raises(NotSent, match="cannot be reached") as raised:
                call(client)
            assert raised.value.not_done


def test_a_failed_tls_handshake_was_surely_not_sent() -> None:
    with (
        serving(lambda c: c.sendall(b"this is no TLS at all")) as url,
        client_of(url.replace("http", "https")) as client,
        pytest.raises(NotSent) as raised,
    ):
        create(client)
    assert raised.value.not_done


def test_a_connection_that_was_closed_while_idle_is_made_anew(sandbox: RunningSandbox) -> None:
    def handler(connection: Any) -> None:
        read_request(connection)
        connection.sendall(answer(b'{"id": 1}'))

    with serving(handler) as url, client_of(url) as client:
        assert client.account() == {"id": 1}
        time.sleep(0.1)
        assert client.account() == {"id": 1}


def test_one_connection_serves_one_delivery(sandbox: RunningSandbox) -> None:
    connections = []

    def handler(connection: Any) -> None:
        connections.append(1)
        while read_request(connection):
            connection.sendall(answer(b'{"id": 1}'))

    with serving(handler) as url, client_of(url) as client:
        for _ in range(5):
            client.account()
    assert len(connections) == 1


def test_a_client_may_be_used_by_several_threads(sandbox: RunningSandbox, account: Client) -> None:
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(account.probing().account()["id"])
        except Exception as error:
            ended.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(str, ended))) == 1


def test_the_token_goes_out_in_its_header_and_nowhere_else(amocrm: responses.RequestsMock) -> None:
    amocrm.get(f"{API}/account", json={"id": 1})
    with client_of() as client:
        client.account()
    request = amocrm.calls[0].request
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in str(request.url)


def a_lead() -> dict[str, Any]:
    return {
        "name": "Test",
        "pipeline_id": 3177727,
        "status_id": 32392159,
        "_embedded": {"contacts": [{"name": "Test"}]},
    }
