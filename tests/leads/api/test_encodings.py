"""A form is the same in every encoding that browsers and builders send."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from leads.api.form_encoding import nested
from leads.api.parsers import MAX_BODY, MAX_MULTIPART
from leads.models import Submission
from tests.leads.forms import PROFTEST_URL, SUBMIT_URL

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
PLAIN = {"name": "Анна", "phone": "+77011230104", "utmParams[utm_source]": "google"}


def post(api: APIClient, body: str | bytes, content_type: str, url: str = SUBMIT_URL) -> Any:
    sent: Any = body
    return api.generic("POST", url, sent, content_type=content_type)


def the_one(response: Any) -> Submission:
    """The row of a form that is taken."""
    assert response.status_code == 202, response.content
    return Submission.objects.get(pk=response.json()["leadId"])


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain;charset=UTF-8",
        "text/plain",
        "TEXT/PLAIN",
        FORM,
        "",
        "text/json",
        "application/ld+json",
        "application/json;charset=utf-8",
    ],
)
@pytest.mark.parametrize("before", ["", " \n", "\ufeff"])
def test_json_is_known_under_any_name(api: APIClient, content_type: str, before: str) -> None:
    body = before + json.dumps({"name": "Анна=&", "phone": "+77011230104"}, ensure_ascii=False)
    row = the_one(post(api, body.encode(), content_type))
    assert (row.name, row.phone, row.remarks) == ("Анна=&", "+77011230104", [])


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=UTF-8", "text/plain", ""])
def test_a_form_of_a_plain_page(api: APIClient, content_type: str) -> None:
    row = the_one(post(api, urlencode(PLAIN), content_type))
    assert (row.name, row.phone) == ("Анна", "+77011230104")
    assert (row.utm, row.remarks) == ({"utm_source": "google"}, [])


def test_a_form_of_a_page_that_is_older_than_utf_8(api: APIClient) -> None:
    row = the_one(post(api, urlencode(PLAIN, encoding="windows-1251"), FORM))
    assert row.name == "Анна"
    raw = "name=Анна&phone=77011230104".encode("windows-1251")
    assert the_one(post(api, raw, FORM)).name == "Анна"


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
def test_a_multipart_form_in_any_encoding(api: APIClient, encoding: str) -> None:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in PLAIN.items()
    ]
    body = ("".join(parts) + "--x--\r\n").encode(encoding)
    row = the_one(post(api, body, "multipart/form-data; boundary=x"))
    assert (row.name, row.phone, row.remarks) == ("Анна", "+77011230104", [])


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("name=Anna & Co = 2\r\nphone=+77011230104\r\n", "Anna & Co = 2"),
        ("name=Анна\r\nЛи\r\nphone=+77011230104\r\n", "Анна Ли"),
        ("phone=+77011230104\r\n", ""),
        ("phone=77011230104&name=A%20B\r\n", "A B"),
    ],
)
def test_a_form_in_lines(api: APIClient, body: str, name: str) -> None:
    row = the_one(post(api, body.encode(), "text/plain"))
    assert (row.name, row.phone.lstrip("+")) == (name, "77011230104")


def test_names_in_cyrillic_of_a_multipart_form(api: APIClient) -> None:
    sent = {"Имя": "Анна", "Телефон": "+77011230104"}
    row = the_one(api.post(SUBMIT_URL, sent, format="multipart"))
    assert (row.name, row.phone) == ("Анна", "+77011230104")


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
@pytest.mark.parametrize("around", ["%s", "[%s]"])
def test_json_of_servers_that_mean_well(api: APIClient, encoding: str, around: str) -> None:
    body = around % json.dumps({"name": "Анна", "phone": "+77011230104"}, ensure_ascii=False)
    row = the_one(post(api, body.encode(encoding), f"application/json; charset={encoding}"))
    assert (row.name, row.remarks) == ("Анна", [])


@pytest.mark.parametrize(
    "beside", ["9" * 5000, "[" * 200 + "1" + "]" * 200, '{"a":' * 33 + "1" + "}" * 33]
)
def test_no_value_beside_a_phone_is_too_long_or_too_deep(api: APIClient, beside: str) -> None:
    body = f'{{"name": "Анна", "phone": "+77011230104", "metadata": {{"a": {beside}}}}}'
    row = the_one(post(api, body.encode(), "application/json"))
    assert row.phone == "+77011230104"
    assert row.metadata["a"]


def test_a_multipart_form_without_its_files(api: APIClient) -> None:
    files = {
        "cv": SimpleUploadedFile("Резюме <1>.pdf", b"x" * 200_000),
        "photo": SimpleUploadedFile("я.jpg", b"=&=" * 10),
    }
    row = the_one(api.post(SUBMIT_URL, PLAIN | files, format="multipart"))
    assert (row.name, row.phone, row.utm) == ("Анна", "+77011230104", {"utm_source": "google"})
    assert row.remarks == [{"field": "files", "code": "files", "value": "Резюме <1>.pdf, я.jpg"}]


def test_answers_of_a_form_encoded_proftest(api: APIClient) -> None:
    body = urlencode(
        {
            "name": "Анна",
            "email": "anna@example.kz",
            "phone": "+77011230104",
            "proftestAnswers[0][question]": "Что ближе?",
            "proftestAnswers[0][answer][]": "Числа",
            "proftestAnswers[3][answer]": "Люди",
            "metadata": '{"page": "/x"}',
        }
    )
    row = the_one(post(api, body, FORM, PROFTEST_URL))
    assert row.answers == {
        "proftestAnswers": [{"question": "Что ближе?", "answer": ["Числа"]}, {"answer": "Люди"}]
    }
    assert row.metadata == {"page": "/x"}


def test_a_repeated_key_knows_a_form_encoded_body(api: APIClient) -> None:
    first, again, other = (
        api.generic("POST", SUBMIT_URL, body, content_type=FORM, HTTP_IDEMPOTENCY_KEY="k")
        for body in ("name=A&phone=77011230104", "phone=77011230104&name=A", "name=B&phone=1")
    )
    assert first.json() == again.json()
    assert other.status_code in (400, 422)
    assert Submission.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("name", FORM, 400),
        ("", FORM, 400),
        ("", "", 400),
        ("", "multipart/form-data; boundary=x", 400),
        ("{", "text/plain", 400),
        ("[1]", "text/plain", 400),
        ("&".join(f"a{number}=1" for number in range(1100)), FORM, 400),
        ("a=" + "x" * MAX_BODY, FORM, 413),
        ("no parts", "multipart/form-data", 400),
        ("no parts", "multipart/form-data; boundary=x", 400),
        ("no parts", "multipart/form-data; boundary=" + "x" * 500, 400),
    ],
)
def test_what_is_no_form_is_refused_in_the_common_shape(
    api: APIClient, body: str, content_type: str, status: int
) -> None:
    response = post(api, body, content_type)
    assert response.status_code == status, response.content
    assert response.json()["success"] is False
    assert response.json()["error"]
    assert Submission.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"a": "x" * (MAX_BODY + 1)}, 413),
        ({"a": "x" * 3_000_000}, 413),
        ({f"a{number}": "1" for number in range(1100)}, 400),
    ],
)
def test_the_texts_of_a_multipart_form_are_bounded(
    api: APIClient, fields: dict[str, str], status: int
) -> None:
    response = api.post(SUBMIT_URL, PLAIN | fields, format="multipart")
    assert (response.status_code, response.json()["success"]) == (status, False)


def test_a_multipart_form_that_is_announced_too_big_is_read_at_its_head(api: APIClient) -> None:
    stream = BytesIO(b"x" * 70_000)
    response = api.post(
        SUBMIT_URL,
        **{"wsgi.input": stream},  # type: ignore[arg-type]  # any of WSGI's own variables
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(MAX_MULTIPART + 1),
    )
    assert response.status_code == 413
    assert stream.tell() == 64 * 1024


@pytest.mark.parametrize(
    ("pairs", "meant"),
    [
        ([("a", "1"), ("b", "2")], {"a": "1", "b": "2"}),
        ([("a", "1"), ("a", "2"), ("a", "3")], {"a": ["1", "2", "3"]}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[0]", "1"), ("a[1]", "2")], {"a": ["1", "2"]}),
        ([("a[0]", "1"), ("a[2]", "2")], {"a": {"0": "1", "2": "2"}}),
        ([("a[b][c]", "1"), ("a[b][d]", "2")], {"a": {"b": {"c": "1", "d": "2"}}}),
        ([("a[][b]", "1"), ("a[][b]", "2")], {"a": [{"b": "1"}, {"b": "2"}]}),
        ([("a", "1"), ("a[b]", "2")], {"a": {"": "1", "b": "2"}}),
        ([("a[b]", "2"), ("a", "1")], {"a": {"b": "2", "": "1"}}),
        ([("a[b]", "1"), ("a[b][c]", "2")], {"a": {"b": {"": "1", "c": "2"}}}),
        ([("a[b", "1"), ("[c]", "2"), ("d]", "3")],
         {"a[b": "1", "[c]": "2", "d]": "3"}),
        ([("a" + "[b]" * 9, "1")], {"a" + "[b]" * 9: "1"}),
        ([("a" + "[b]" * 30_000, "1")], {"a" + "[b]" * 30_000: "1"}),
    ],
)  # fmt: skip
def test_brackets_mean_what_they_mean_in_php(
    pairs: list[tuple[str, str]], meant: dict[str, Any]
) -> None:
    assert nested(pairs) == meant
