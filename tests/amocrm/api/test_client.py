"""What the client makes of odd answers, and of calls that fail under way."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import responses

from amocrm import conf
from amocrm.api import transport
from amocrm.api.client import Client, connect
from amocrm.errors import (
    AccountPaused,
    LeadGone,
    NotDone,
    OutcomeUnknown,
    RetryLater,
)
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.api.raw_server import answer, one_answer, read_request, serving
from tests.amocrm.clients import API, READS, TOKEN, WRITES, any_url, client_of, create, nothing
from tests.servers import free_port

pytestmark = pytest.mark.django_db

CREATED = [{"id": 7, "contact_id": 8, "company_id": None, "request_id": ["x"], "merged": False}]


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
    with client_of() as client, pytest.raises(NotDone):
        client.lead(1)


def test_a_patch_may_be_answered_with_nothing(amocrm: responses.RequestsMock) -> None:
    amocrm.add(responses.PATCH, url=any_url(), status=204)
    with client_of() as client:
        client.update_lead(1, {"name": "x"})


@pytest.mark.parametrize("call", ["update", "notes"])
@pytest.mark.parametrize(
    "gone",
    [
        {"status": 404, "json": {"title": "Not Found"}},
        {"status": 400, "json": {"errors": [{"code": 226, "message": "Lead is deleted"}]}},
    ],
    ids=["404", "226"],
)
def test_a_write_to_a_lead_that_is_not_there_says_so(
    amocrm: responses.RequestsMock, call: str, gone: dict[str, Any]
) -> None:
    for method in (responses.POST, responses.PATCH):
        amocrm.add(method, url=any_url(), headers={"X-Request-Id": "r"}, **gone)
    with client_of() as client, pytest.raises(LeadGone) as raised:
        WRITES[call](client)
    assert (raised.value.status, raised.value.request_id) == (gone["status"], "r")


def test_notes_of_other_kinds_have_no_text(amocrm: responses.RequestsMock) -> None:
    notes = [{"params": {"text": "one"}}, {"params": []}, {"params": None}, {}, {"params": ["x"]}]
    amocrm.add(responses.GET, url=any_url(), json={"_embedded": {"notes": notes}})
    with client_of() as client:
        assert client.note_texts(1, 1).rows == ["one", "", "", "", ""]


def test_a_giant_body_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LONGEST_BODY", 100_000)
    packed = gzip.compress(b" " * 50_000_000)
    assert len(packed) < 100_000
    with (
        serving(one_answer(answer(packed, headers="Content-Encoding: gzip\r\n"))) as url,
        client_of(url) as client,
        pytest.raises(RetryLater, match="more than 100000 bytes"),
    ):
        client.account()


# --- where it goes ---------------------------------------------------------------------------


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
    with pytest.raises(AccountPaused) as raised, connect(settings):
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
            with pytest.raises(NotDone, match="cannot be reached") as raised:
                call(client)
            assert raised.value.not_done


def test_a_failed_tls_handshake_was_surely_not_sent() -> None:
    with (
        serving(lambda c: c.sendall(b"this is no TLS at all")) as url,
        client_of(url.replace("http", "https")) as client,
        pytest.raises(NotDone) as raised,
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
