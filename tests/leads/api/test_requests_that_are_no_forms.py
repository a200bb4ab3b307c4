"""Size, type, syntax, method, address and pace: refused as JSON, in one form."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings
from rest_framework.test import APIClient, APIRequestFactory

from leads.api.parsers import BodyTooBig, BoundedJSONParser
from leads.models import Submission
from tests.leads.forms import EXPRESS, PROFTEST, PROFTEST_URL, SUBMIT_URL

pytestmark = pytest.mark.django_db


def answer_of(response: Any, status: int) -> dict[str, Any]:
    """The JSON of a refusal; it has the API's form and nothing was kept."""
    assert response.status_code == status, response.content
    answer: dict[str, Any] = response.json()
    assert answer["success"] is False
    assert isinstance(answer["error"], str)
    assert answer["error"]
    assert Submission.objects.count() == 0
    return answer


def sized(body: dict[str, Any], size: int) -> bytes:
    """``body`` as JSON of exactly ``size`` bytes."""
    text = json.dumps(body)
    return (text + " " * (size - len(text))).encode()


def post(api: APIClient, body: bytes, content_type: str = "application/json") -> Any:
    return api.post(PROFTEST_URL, body, content_type=content_type)


def test_64_kib_are_taken_and_a_byte_more_is_413(api: APIClient, proftest: dict[str, Any]) -> None:
    answer_of(post(api, sized(proftest, 64 * 1024 + 1)), 413)
    assert post(api, sized(proftest, 64 * 1024)).status_code == 202


def test_a_body_that_is_announced_too_big_is_not_read() -> None:
    request = APIRequestFactory().generic("POST", "/", CONTENT_LENGTH=str(64 * 1024 + 1))
    stream = BytesIO(b"{}")
    with pytest.raises(BodyTooBig):
        BoundedJSONParser().parse(stream, parser_context={"request": request})
    assert stream.tell() == 0


def test_a_length_that_was_not_announced_is_measured(
    api: APIClient, proftest: dict[str, Any]
) -> None:
    """A body that is longer than its Content-Length says cannot slip through."""
    with pytest.raises(BodyTooBig):
        BoundedJSONParser().parse(BytesIO(sized(proftest, 64 * 1024 + 1)))


@pytest.mark.parametrize(
    "content_type", ["application/xml", "text/html", "application/octet-stream", "x"]
)
def test_what_no_form_comes_in_is_415(
    api: APIClient, proftest: dict[str, Any], content_type: str
) -> None:
    answer_of(post(api, json.dumps(proftest).encode(), content_type), 415)


def test_a_body_in_chunks_is_411_and_not_taken_for_an_empty_one(
    api: APIClient, proftest: dict[str, Any]
) -> None:
    response = api.post(PROFTEST_URL, proftest, format="json", HTTP_TRANSFER_ENCODING="chunked")
    answer_of(response, 411)


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["no key", "a key"])
def test_a_body_that_no_parser_gets_to_the_end_of_is_400(
    api: APIClient, proftest: dict[str, Any], key: dict[str, str]
) -> None:
    deep = json.dumps(proftest)[:-1] + ', "ignored": ' + "[" * 9000 + "]" * 9000 + "}"
    answer_of(api.post(PROFTEST_URL, deep, content_type="application/json", headers=key), 400)
    allowed = json.dumps(proftest)[:-1] + ', "ignored": ' + "[" * 300 + "]" * 300 + "}"
    response = api.post(PROFTEST_URL, allowed, content_type="application/json", headers=key)
    assert response.status_code == 202


def test_a_charset_in_the_content_type_is_fine(api: APIClient, proftest: dict[str, Any]) -> None:
    body = json.dumps(proftest).encode()
    assert post(api, body, "application/json; charset=UTF-8").status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'name': 1}",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b"\xff\xfe{}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
    ],
)
def test_malformed_json_is_400(api: APIClient, body: bytes) -> None:
    assert answer_of(post(api, body), 400)["error"] == "Запрос не является корректным JSON."


@pytest.mark.parametrize("field", [*PROFTEST, *EXPRESS, "answers", "ignored"])
@pytest.mark.parametrize("url", [PROFTEST_URL, SUBMIT_URL])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_that_is_too_long_for_a_float_is_no_500(
    api: APIClient, url: str, field: str, sign: str
) -> None:
    number = int(sign + "9" * 400)
    for value in (number, [number], {"a": number}, [{"answer": number, "questionNumber": number}]):
        body = PROFTEST | EXPRESS | {field: value}
        assert api.post(url, body, format="json").status_code in (202, 400)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options"])
def test_another_method_is_405(api: APIClient, method: str) -> None:
    answer_of(getattr(api, method)(SUBMIT_URL), 405)


@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
@pytest.mark.parametrize(
    "path", ["", "proftest/", "nothing", "submissions/5", "submissions/", "submit/x"]
)
def test_another_address_is_404(api: APIClient, method: str, path: str) -> None:
    answer_of(getattr(api, method)(f"/api/landing/{path}"), 404)


def test_the_pace_is_limited_over_both_forms_and_per_address(
    api: APIClient,
    proftest: dict[str, Any],
    express: dict[str, Any],
    settings: Settings,
) -> None:
    settings.LANDING_THROTTLE = "3/min"
    for url, body in ((PROFTEST_URL, proftest), (SUBMIT_URL, express), (SUBMIT_URL, express)):
        assert api.post(url, body, format="json").status_code == 202
    kept = Submission.objects.count()

    slow_down = api.post(PROFTEST_URL, proftest, format="json")

    assert slow_down.status_code == 429
    assert slow_down.json()["success"] is False
    assert slow_down.json()["error"].startswith("Слишком много запросов. Повторите через ")
    assert 50 <= int(slow_down["Retry-After"]) <= 60
    assert Submission.objects.count() == kept == 3
    elsewhere = api.post(PROFTEST_URL, proftest, format="json", REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 202


def test_what_is_refused_uses_up_nobodys_limit(
    api: APIClient, proftest: dict[str, Any], settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "2/min"
    bad: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("{}", "application/json", {}),
        ("{", "application/json", {}),
        ("x", "application/xml", {}),
        ("x" * 70_000, "text/plain", {}),
        (json.dumps(proftest), "application/json", {"Idempotency-Key": " "}),
        (json.dumps(proftest), "application/json", {"Transfer-Encoding": "chunked"}),
    )
    for body, content_type, headers in bad * 25:
        answer = api.post(SUBMIT_URL, body, content_type=content_type, headers=headers)
        assert answer.status_code in (400, 411, 413, 415)
    codes = [api.post(PROFTEST_URL, proftest, format="json").status_code for _ in range(4)]
    assert codes == [202, 202, 429, 429]
    assert api.post(SUBMIT_URL, {}, format="json").status_code == 429


def test_a_key_that_was_used_before_uses_up_nobodys_limit(
    api: APIClient, proftest: dict[str, Any], settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "2/min"
    codes = [
        api.post(
            PROFTEST_URL, proftest | {"source": source}, format="json", HTTP_IDEMPOTENCY_KEY="k"
        ).status_code
        for source in ("a", "b", "b", "b", "a", "a")
    ]
    assert codes == [202, 422, 422, 422, 202, 202]
    assert api.post(PROFTEST_URL, proftest, format="json").status_code == 202
    assert api.post(PROFTEST_URL, proftest, format="json").status_code == 429


def test_a_forged_forwarded_for_does_not_help(
    api: APIClient, proftest: dict[str, Any], settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "1/min"
    statuses = [
        api.post(
            PROFTEST_URL, proftest, format="json", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}"
        ).status_code
        for number in range(3)
    ]
    assert statuses == [202, 429, 429]


def test_behind_a_trusted_proxy_the_address_is_what_it_saw(
    api: APIClient, proftest: dict[str, Any], settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "1/min"
    settings.TRUSTED_PROXIES = 1
    hops = ["6.6.6.6, 198.51.100.1:51012", "7.7.7.7, 198.51.100.1:51013", "198.51.100.2:51012"]
    statuses = [
        api.post(PROFTEST_URL, proftest, format="json", HTTP_X_FORWARDED_FOR=hop).status_code
        for hop in hops
    ]
    assert statuses == [202, 429, 202]


def test_one_ipv6_network_is_one_address(
    api: APIClient, proftest: dict[str, Any], settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "1/min"
    statuses = [
        api.post(PROFTEST_URL, proftest, format="json", REMOTE_ADDR=address).status_code
        for address in ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1")
    ]
    assert statuses == [202, 429, 202]


def test_a_database_that_does_not_answer_is_503(
    api: APIClient, proftest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("leads.api.views.accept_submission", broken)
    response = api.post(PROFTEST_URL, proftest, format="json")
    answer_of(response, 503)
    assert response["Retry-After"] == "60"
