"""What both endpoints take, and what they answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from amocrm.identity import IdentityKey, parse_phone
from leads.models import Submission
from tests.leads.forms import PROFTEST_URL, SUBMIT_URL

pytestmark = pytest.mark.django_db


def refused(api: APIClient, url: str, body: Any, **headers: Any) -> dict[str, Any]:
    """Post what must be refused with 400; the answer. Nothing may be kept."""
    text = json.dumps(body)  # escapes what UTF-8 cannot hold
    response = api.post(url, text, content_type="application/json", **headers)
    assert response.status_code == 400, response.content
    assert Submission.objects.count() == 0
    answer: dict[str, Any] = response.json()
    assert answer["success"] is False
    assert answer["error"]
    return answer


def test_a_proftest_is_kept_as_it_was_sent(api: APIClient, proftest: dict[str, Any]) -> None:
    response = api.post(PROFTEST_URL, proftest, format="json")

    assert response.status_code == 202
    kept = Submission.objects.get()
    assert response.json() == {
        "success": True,
        "leadId": str(kept.pk),
        "status": "accepted",
        "statusUrl": f"http://testserver/api/landing/submissions/{kept.pk}",
    }
    assert response["Cache-Control"] == "no-store"
    assert (kept.form_id, kept.name, kept.email, kept.phone, kept.source) == (
        "proftest",
        "Test User",
        "test@onai.academy",
        "+77771112233",
        "proftest_main",
    )
    assert kept.answers == {"proftestAnswers": proftest["proftestAnswers"]}
    assert (kept.status, kept.attempts, kept.idempotency_key) == ("accepted", 0, None)


def test_an_express_form_is_kept_as_it_was_sent(api: APIClient, express: dict[str, Any]) -> None:
    response = api.post(SUBMIT_URL, express, format="json")

    assert response.status_code == 202
    kept = Submission.objects.get()
    assert (kept.form_id, kept.phone, kept.payment_method) == (
        "express",
        "8 (777) 111-22-33",
        "kaspi",
    )
    assert kept.campaign_slug == "autumn"
    assert kept.utm == {"utm_source": "google", "gclid": "abc"}
    assert kept.metadata == {"page": "/express"}


def test_the_status_url_answers(api: APIClient, proftest: dict[str, Any]) -> None:
    url = api.post(PROFTEST_URL, proftest, format="json").json()["statusUrl"]
    assert api.get(url).status_code == 200


def test_unknown_keys_and_nulls_of_optional_ones_do_no_harm(api: APIClient) -> None:
    body = {
        "name": " Aida ",
        "phone": "+77771112233",
        "email": None,
        "paymentMethod": None,
        "source": None,
        "utmParams": None,
        "metadata": None,
        "campaignSlug": None,
        "somethingNew": {"deep": [1]},
    }
    assert api.post(SUBMIT_URL, body, format="json").status_code == 202
    kept = Submission.objects.get()
    assert (kept.name, kept.email, kept.payment_method, kept.utm, kept.metadata) == (
        "Aida",
        "",
        "",
        {},
        {},
    )


def test_answers_may_be_texts_numbers_and_lists(api: APIClient, proftest: dict[str, Any]) -> None:
    proftest["proftestAnswers"] = [
        {"questionNumber": "2a", "question": "Q", "answer": ["a", 2]},
        {"answer": 3.5, "extra": "ignored"},
        {"questionNumber": 3, "question": "Q3", "answer": "line\nbreak"},
        {"questionNumber": 4, "question": "Q4", "answer": True},
    ]
    proftest["answers"] = {"city": "Алматы", "age": 30}
    assert api.post(PROFTEST_URL, proftest, format="json").status_code == 202
    assert Submission.objects.get().answers == {
        "proftestAnswers": [
            {"questionNumber": "2a", "question": "Q", "answer": ["a", 2]},
            {"answer": 3.5},
            {"questionNumber": 3, "question": "Q3", "answer": "line\nbreak"},
            {"questionNumber": 4, "question": "Q4", "answer": True},
        ],
        "answers": {"city": "Алматы", "age": 30},
    }


def test_utm_values_become_texts_under_lower_case_keys(
    api: APIClient, express: dict[str, Any]
) -> None:
    express["utmParams"] = {"UTM_Source": " google ", "utm_term": 7, "utm_content": None, "x": ""}
    assert api.post(SUBMIT_URL, express, format="json").status_code == 202
    assert Submission.objects.get().utm == {"utm_source": "google", "utm_term": "7"}


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "*/*"])
def test_the_answer_is_json_whatever_the_accept_header(
    api: APIClient, proftest: dict[str, Any], accept: str
) -> None:
    response = api.post(PROFTEST_URL, proftest, format="json", HTTP_ACCEPT=accept)
    assert response.status_code == 202
    assert response["Content-Type"] == "application/json"


def test_a_session_of_an_operator_does_not_bring_csrf_into_it(
    proftest: dict[str, Any], staff: Any
) -> None:
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(staff)
    assert api.post(PROFTEST_URL, proftest, format="json").status_code == 202


@pytest.mark.parametrize("value", ["missing", "", "   ", None, "\u202e", "\u200b \u3164"])
def test_a_form_that_names_nobody_is_refused_by_the_fields_of_the_page(
    api: APIClient, proftest: dict[str, Any], express: dict[str, Any], value: str | None
) -> None:
    for url, body, fields in (
        (PROFTEST_URL, proftest, ["name", "email", "phone"]),
        (SUBMIT_URL, express, ["name", "phone"]),
    ):
        blank = dict.fromkeys(("name", "email", "phone"), value) if value != "missing" else {}
        kept = {key: one for key, one in body.items() if key not in ("name", "email", "phone")}
        answer = refused(api, url, kept | blank)
        assert list(answer["fields"]) == fields
        assert answer["error"] == answer["fields"]["name"][0]


UNUSABLE_PHONES = [
    "call me",
    "123",
    "@dana_kz",
    "0555 123 456",
    "+7 (870) 112-30-30",
    "0000000000",
    "1234567890",
]


@pytest.mark.parametrize("phone", UNUSABLE_PHONES)
def test_a_number_that_names_nobody_is_refused_where_nothing_else_does(
    api: APIClient, express: dict[str, Any], phone: str
) -> None:
    express |= {"phone": phone, "email": ""}
    assert list(refused(api, SUBMIT_URL, express)["fields"]) == ["phone"]


@pytest.mark.parametrize("phone", UNUSABLE_PHONES)
def test_beside_an_email_it_is_kept_as_typed_and_names_nobody(
    api: APIClient, express: dict[str, Any], phone: str
) -> None:
    express |= {"phone": phone, "email": "dana.tg@example.kz"}
    assert api.post(SUBMIT_URL, express, format="json").status_code == 202
    kept = Submission.objects.get()
    assert kept.phone == phone
    assert kept.named == {IdentityKey("email", "dana.tg@example.kz")}


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
def test_a_body_that_is_no_object_is_refused(api: APIClient, body: Any) -> None:
    response = api.post(PROFTEST_URL, json.dumps(body), content_type="application/json")
    assert response.status_code == 400
    assert response.json()["error"] == "Запрос должен быть объектом JSON."


def test_messages_are_russian_unless_english_is_asked_for(api: APIClient) -> None:
    by_default = refused(api, PROFTEST_URL, {})
    english = refused(api, PROFTEST_URL, {}, HTTP_ACCEPT_LANGUAGE="en-US,en;q=0.9")
    german = refused(api, PROFTEST_URL, {}, HTTP_ACCEPT_LANGUAGE="de")
    assert by_default["error"] == german["error"] == "Укажите имя."
    assert english["error"] == "Enter your name."
    assert by_default["fields"]["phone"] == ["Укажите номер телефона."]


def test_the_person_of_a_form_is_read_once_and_named_in_the_log(
    api: APIClient,
    express: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []

    def parse(raw: str, region: str) -> str | None:
        read.append(raw)
        return parse_phone(raw, region)

    monkeypatch.setattr("amocrm.identity.parse_phone", parse)
    express["email"] = "Test@Onai.Academy"
    with caplog.at_level("INFO"), django_capture_on_commit_callbacks(execute=True):
        response = api.post(SUBMIT_URL, express, format="json")
    assert (
        "📥 Accepted express · test@onai.academy / +77771112233"
        f" · submission {response.json()['leadId']}"
    ) in caplog.messages
    assert read == [express["phone"]]
