"""A page without JavaScript says where its visitor goes, and nobody else does."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from leads.models import Submission
from tests.leads.forms import EXPRESS, SUBMIT_URL

pytestmark = pytest.mark.django_db
PERSON = {"name": "Анна", "phone": "+77011230104"}
FORM = "application/x-www-form-urlencoded"
THANKS = "https://landing.example/thanks?a=b#c"


@pytest.fixture(autouse=True)
def _two_pages(settings: Settings) -> None:
    settings.LANDING_ALLOWED_ORIGINS = ("https://landing.example", "http://other.example:8080")


def post(api: APIClient, page: str, **more: str) -> Any:
    body = urlencode(PERSON | {"_next": page} | more)
    return api.generic("POST", SUBMIT_URL, body, content_type=FORM)


@pytest.mark.parametrize(
    "page",
    [THANKS, "https://LANDING.example", "http://other.example:8080/", "https://landing.example?x"],
)
def test_an_accepted_form_leads_on(api: APIClient, page: str) -> None:
    answer = post(api, page)
    assert (answer.status_code, answer["Location"], answer.content) == (303, page, b"")
    assert Submission.objects.get().remarks == []


def test_a_multipart_form_and_a_builders_lead_on_too(api: APIClient) -> None:
    assert api.post(SUBMIT_URL, PERSON | {"_next": THANKS}, format="multipart").status_code == 303
    assert post(api, THANKS, formid="form1").status_code == 303
    assert not Submission.objects.exclude(answers={}).exists()


@pytest.mark.parametrize(
    "page",
    [
        "",
        "/thanks",
        "//landing.example/",
        "https://evil.example/",
        "https://landing.example.evil.example/",
        "https://landing.example@evil.example/",
        "https://a@landing.example/",
        "https://landing.example:444/",
        "http://landing.example/",
        "https:/landing.example/",
        "https:evil.example",
        "https://evil.example\\@landing.example/",
        "https://landing.example\\.evil.example/",
        "\thttps://landing.example/",
        "https://landing.example/\r\nSet-Cookie: a=b",
        "https://landing.example/\u202e",
        "javascript:alert(1)//https://landing.example/",
        "data:text/html,<script>",
        "https://[landing.example/",
        "https://landing.examplе/",
    ],
)
def test_nobody_is_led_elsewhere(api: APIClient, page: str) -> None:
    answer = post(api, page)
    assert answer.status_code == 202
    assert "Location" not in answer
    assert answer.json()["success"] is True


@pytest.mark.parametrize("page", [[THANKS], {"a": THANKS}, 5, None, THANKS])
def test_a_script_gets_its_json(api: APIClient, page: Any) -> None:
    answer = api.post(SUBMIT_URL, EXPRESS | {"_next": page}, format="json")
    assert (answer.status_code, "Location" in answer) == (202, False)


def test_a_refused_form_leads_nowhere(api: APIClient) -> None:
    assert post(api, THANKS, phone="1").status_code == 400


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def navigated(api: APIClient, body: dict[str, str], **headers: str) -> Any:
    encoded = urlencode(body)
    return api.generic(
        "POST", SUBMIT_URL, encoded, content_type=FORM, headers={**BROWSER, **headers}
    )


def test_a_visitor_without_a_page_to_go_to_is_thanked(api: APIClient) -> None:
    answer = navigated(api, PERSON)
    assert (answer.status_code, answer["Content-Type"]) == (202, "text/html; charset=utf-8")
    assert "<h1>Спасибо</h1>" in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("language", "told"),
    [("ru", "Укажите номер телефона."), ("en", "Enter your phone number.")],
)
def test_a_visitor_reads_what_was_wrong(api: APIClient, language: str, told: str) -> None:
    answer = navigated(api, {"name": "<b>Анна"}, **{"Accept-Language": language})
    assert (answer.status_code, f"<p>{told}</p>" in answer.content.decode()) == (400, True)


def test_whoever_is_too_quick_reads_so_and_when_to_come_back(
    api: APIClient, settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "1/hour"
    navigated(api, PERSON)
    answer = navigated(api, PERSON | {"name": "Дана"})
    assert (answer.status_code, answer["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert int(answer["Retry-After"]) > 3000


def test_a_visitor_whose_form_is_too_big_reads_so(api: APIClient) -> None:
    kind = "multipart/form-data; boundary=b"
    answer = api.generic("POST", SUBMIT_URL, "x" * 9_000_000, content_type=kind, headers=BROWSER)
    assert (answer.status_code, answer["Content-Type"]) == (413, "text/html; charset=utf-8")


def test_scripts_and_servers_read_json(api: APIClient) -> None:
    assert post(api, "").json()["success"] is True
    answer = api.post(SUBMIT_URL, {}, format="json", headers=BROWSER)
    assert answer.json()["success"] is False
