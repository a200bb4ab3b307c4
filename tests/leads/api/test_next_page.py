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
