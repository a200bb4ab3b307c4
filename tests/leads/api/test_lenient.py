"""Nobody who can be reached is refused for a detail: what was meant is read, the rest is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from amocrm.identity import IdentityKey
from leads.models import Submission
from tests.leads.forms import EXPRESS, PROFTEST, PROFTEST_URL, SUBMIT_URL

pytestmark = pytest.mark.django_db

PHONE = IdentityKey("phone", "+77771112233")
EMAIL = IdentityKey("email", "test@onai.academy")


def accepted(api: APIClient, body: dict[str, Any], url: str = SUBMIT_URL) -> Submission:
    """The row of a form that is taken."""
    text = json.dumps(body)  # escapes what UTF-8 cannot hold
    response = api.post(url, text, content_type="application/json")
    assert response.status_code == 202, response.content
    kept = Submission.objects.get()
    assert response.json().keys() == {"success", "leadId", "status", "statusUrl"}
    return kept


def remark(field: str, code: str, value: str = "") -> dict[str, str]:
    return {"field": field, "code": code, "value": value}


def test_a_good_form_has_no_remarks(api: APIClient, express: dict[str, Any]) -> None:
    assert accepted(api, express).remarks == []


@pytest.mark.parametrize(
    ("sent", "kept", "told"),
    [
        (7, "7", []),
        (7.0, "7", []),
        (["Анна", "Анна Ли"], "Анна", [remark("name", "several", "Анна Ли")]),
        ({"value": "Анна"}, "Анна", []),
        ("x" * 256, "x" * 255, [remark("name", "cut", "255")]),
        (" Анна\nЛи\t", "Анна Ли", []),
        ("a\x00b\x1b[31m\ud800", "a b [31m", []),
        ("\u202eАн\u200bна\ufeff", "Анна", []),
        ("👩\u200d🎓", "👩\u200d🎓", []),
        ("\u202e", "", [remark("name", "missing")]),
        ("\u200b\u00ad\u3164\u2800", "", [remark("name", "missing")]),
        (None, "", [remark("name", "missing")]),
        (True, "", [remark("name", "unreadable", "true"), remark("name", "missing")]),
        ([[], {}, None], "", [remark("name", "missing")]),
    ],
)
def test_a_name_is_read_cleaned_or_cut(
    api: APIClient, express: dict[str, Any], sent: Any, kept: str, told: list[dict[str, str]]
) -> None:
    row = accepted(api, express | {"name": sent})
    assert (row.name, row.remarks) == (kept, told)
    assert row.named == {EMAIL, PHONE}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (77771112233, "77771112233"),
        (77771112233.0, "77771112233"),
        ("p:+77771112233", "+77771112233"),
        ("P: +7 777 111 22 33", "+7 777 111 22 33"),
        ("\u202a+7 777 111-22-33\u202c", "+7 777 111-22-33"),
        ("+7\u200b777\u20601112233", "+77771112233"),
        ([87771112233], "87771112233"),
        ("8 777 111 22 33, Анна", "8 777 111 22 33, Анна"),
    ],
)
def test_a_phone_is_read_as_it_was_meant(
    api: APIClient, express: dict[str, Any], sent: Any, kept: str
) -> None:
    row = accepted(api, express | {"phone": sent, "email": None})
    assert (row.phone, row.remarks) == (kept, [])
    assert row.named == {PHONE}


@pytest.mark.parametrize("email", ["nobody", '"a b"@onai.academy', "a@b", 5])
def test_an_email_that_is_none_is_a_remark_beside_a_phone(
    api: APIClient, proftest: dict[str, Any], email: Any
) -> None:
    row = accepted(api, proftest | {"email": email}, PROFTEST_URL)
    assert row.remarks == [remark("email", "unusable", str(email))]
    assert row.email == str(email)
    assert row.named == {PHONE}


def test_a_phone_that_is_none_is_a_remark_beside_an_email(
    api: APIClient, express: dict[str, Any]
) -> None:
    row = accepted(api, express | {"phone": "@dana_kz"})
    assert row.remarks == [remark("phone", "unusable", "@dana_kz")]
    assert row.named == {EMAIL}


@pytest.mark.parametrize("field", ["name", "email", "phone"])
@pytest.mark.parametrize("value", ["missing", "", None, "\u200b"])
def test_what_the_page_did_not_ask_for_is_a_remark(
    api: APIClient, proftest: dict[str, Any], field: str, value: str | None
) -> None:
    proftest[field] = value
    if value == "missing":
        del proftest[field]
    assert accepted(api, proftest, PROFTEST_URL).remarks == [remark(field, "missing")]


@pytest.mark.parametrize(
    ("sent", "kept", "told"),
    [
        ([], {}, []),
        ("", {}, []),
        (
            {"utm_source": ["google", "google", 7]},
            {"utm_source": "google"},
            [remark("utmParams.utm_source", "several", "google, 7")],
        ),
        ({"utm_source": ["", "google"]}, {"utm_source": "google"}, []),
        ({"utm_source": {"1": "google"}}, {"utm_source": "google"}, []),
        ({"utm_source": "a\x00b", "x": []}, {"utm_source": "a b"}, []),
        ({"a": "x" * 2001}, {"a": "x" * 2000}, [remark("utmParams.a", "cut", "2000")]),
        ({"a": True, "b": "c"}, {"b": "c"}, [remark("utmParams.a", "unreadable", "true")]),
        ('{"utm_source": "google"}', {"utm_source": "google"}, []),
        ("https://x.kz/?utm_source=google&a=b", {"utm_source": "google", "a": "b"}, []),
        ("google", {}, [remark("utmParams", "unreadable", "google")]),
        (["google"], {}, [remark("utmParams", "unreadable", '["google"]')]),
        (5, {}, [remark("utmParams", "unreadable", "5")]),
        (
            {f"k{n}": "v" for n in range(60)},
            {f"k{n}": "v" for n in range(50)},
            [remark("utmParams", "too_many", "50")],
        ),
    ],
)
def test_marks_of_advertising_never_stop_a_person(
    api: APIClient, express: dict[str, Any], sent: Any, kept: Any, told: list[dict[str, str]]
) -> None:
    row = accepted(api, express | {"utmParams": sent})
    assert (row.utm, row.remarks) == (kept, told)


DEEP = {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}


@pytest.mark.parametrize(
    ("sent", "kept", "told"),
    [
        ([], {}, []),
        ([5, "b"], {"0": 5, "1": "b"}, []),
        ('{"page": 1}', {"page": 1}, []),
        ("text", {}, [remark("metadata", "unreadable", "text")]),
        (5, {}, [remark("metadata", "unreadable", "5")]),
        (DEEP, {"a": {"b": {"c": {"d": {"e": '{"f": 1}'}}}}}, []),
        ({"a\x00": "\x00", "b": "\udfff", "c": "x\r\ny"}, {"a": "", "b": "", "c": "x\ny"}, []),
        ({"a": 10**19, "b": 10**18}, {"a": str(10**19), "b": 10**18}, []),
        ({"a": int("9" * 400)}, {"a": "9" * 400}, []),
        ({"a": [0] * 2001}, {"a": [0] * 1998}, [remark("metadata", "too_many", "2000")]),
        ({"a": "x" * 8001}, {"a": "x" * 8000}, [remark("metadata", "cut", "8000")]),
        ("[" * 1000, {}, [remark("metadata", "unreadable", "[" * 199 + "…")]),
        ("[" * 40 + "]" * 40, {}, [remark("metadata", "unreadable", "[" * 40 + "]" * 40)]),
    ],
)
def test_metadata_is_kept_as_far_as_it_goes(
    api: APIClient, express: dict[str, Any], sent: Any, kept: Any, told: list[dict[str, str]]
) -> None:
    row = accepted(api, express | {"metadata": sent})
    assert (row.metadata, row.remarks) == (kept, told)


def test_a_number_that_only_python_knows_is_a_text(api: APIClient, express: dict[str, Any]) -> None:
    body = json.dumps(express | {"metadata": {"a": 0}}).replace('"a": 0', '"a": 1e999')
    assert api.post(SUBMIT_URL, body, content_type="application/json").status_code == 202
    assert Submission.objects.get().metadata == {"a": "inf"}


@pytest.mark.parametrize(
    ("sent", "kept", "told"),
    [
        ({}, None, []),
        ({"0": {"answer": "a"}, "2": {"answer": "c"}}, [{"answer": "a"}, {"answer": "c"}], []),
        (["text", None, 5], [{"answer": "text"}, {"answer": 5}], []),
        ({"question": "Q", "answer": "a"}, [{"question": "Q", "answer": "a"}], []),
        ('[{"answer": "a"}]', [{"answer": "a"}], []),
        ([{"question": "no answer"}], [{"question": "no answer", "answer": None}], []),
        (
            [{"q": "Кем?", "a": "Врачом"}, {"question": "Кем?", "value": "Врачом"}],
            [{"answer": {"q": "Кем?", "a": "Врачом"}}, {"question": "Кем?", "answer": "Врачом"}],
            [],
        ),
        ([{"question": 5, "answer": "\x00a"}], [{"question": "5", "answer": "a"}], []),
        ([{"questionNumber": [1], "answer": "a"}], [{"questionNumber": "1", "answer": "a"}], []),
        (
            [{"questionNumber": True, "answer": "a"}],
            [{"answer": "a"}],
            [remark("proftestAnswers.questionNumber", "unreadable", "true")],
        ),
        (
            [{"answer": "a"}] * 201,
            [{"answer": "a"}] * 200,
            [remark("proftestAnswers", "too_many", "200")],
        ),
    ],
)
def test_answers_of_the_proftest_are_kept_as_far_as_they_go(
    api: APIClient, proftest: dict[str, Any], sent: Any, kept: Any, told: list[dict[str, str]]
) -> None:
    row = accepted(api, proftest | {"proftestAnswers": sent}, PROFTEST_URL)
    assert (row.answers.get("proftestAnswers"), row.remarks) == (kept, told)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("text", ["text"]),
        (5, [5]),
        ({"a": "\x07b"}, {"a": "b"}),
        ([], None),
        ('{"a": 1}', {"a": 1}),
    ],
)
def test_other_answers_are_kept_too(
    api: APIClient, proftest: dict[str, Any], sent: Any, kept: Any
) -> None:
    row = accepted(api, proftest | {"answers": sent}, PROFTEST_URL)
    assert (row.answers.get("answers"), row.remarks) == (kept, [])


@pytest.mark.parametrize(
    ("sent", "kept", "told"),
    [
        ("Kaspi ", "kaspi", []),
        (["card"], "card", []),
        ("bitcoin", "", [remark("paymentMethod", "unreadable", "bitcoin")]),
        ("\ud800", "", []),
    ],
)
def test_a_payment_method_is_one_of_ours_or_none(
    api: APIClient, express: dict[str, Any], sent: Any, kept: str, told: list[dict[str, str]]
) -> None:
    row = accepted(api, express | {"paymentMethod": sent})
    assert (row.payment_method, row.remarks) == (kept, told)


def test_remarks_are_bounded(api: APIClient, express: dict[str, Any]) -> None:
    row = accepted(api, express | {"utmParams": {f"k{n}": ["a", "b" * 900] for n in range(40)}})
    assert len(row.remarks) == 30
    assert max(len(one["value"]) for one in row.remarks) == 200


JUNK: list[Any] = [
    None, True, 0, -1.5, 1e308, 10**400, "", " ", "\x00", "\ud800", "[", "{", "[" * 5000,
    [], {}, [None], [[]], {"": ""}, {"a": {"b": []}}, [1, "a", None, {}], {"0": [True]},
]  # fmt: skip


@pytest.mark.parametrize("field", [*{**PROFTEST, **EXPRESS}, "answers", "unknown"])
@pytest.mark.parametrize(("url", "whole"), [(PROFTEST_URL, PROFTEST), (SUBMIT_URL, EXPRESS)])
def test_no_value_of_a_single_field_stops_a_person(
    api: APIClient, field: str, url: str, whole: dict[str, Any]
) -> None:
    for value in JUNK:
        body = json.dumps(whole | {field: value})
        response = api.post(url, body, content_type="application/json")
        assert response.status_code == 202, (value, response.content)
    for row in Submission.objects.all():
        row.refresh_from_db()
        assert row.named
