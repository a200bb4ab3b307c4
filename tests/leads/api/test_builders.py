"""Forms of Tilda, Elementor, WordPress plugins and Meta become leads without a converter."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from rest_framework.test import APIClient

from leads.api.field_names import NAMES, SURNAMES, field_called, is_mark, is_surname
from leads.models import FormField, LandingForm, RefusedForm, Submission
from tests.leads.forms import PROFTEST_URL, SUBMIT_URL

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
TILDAUTM = quote("utm_source=google|||utm_campaign=Осень|||utm_term=|||")
TILDA = {
    "Name": "Айгуль",
    "Phone": "+7 (701) 123-01-02",
    "Email": "aigul@example.kz",
    "Город": "Алматы",
    "Date": "01.12.2026",
    "tranid": "1234567:890123",
    "formid": "form987",
    "COOKIES": f"_ga=GA1.2.1; TILDAUTM={TILDAUTM}; _ym_uid=5",
}
ELEMENTOR = {
    "form[id]": "a1b2",
    "form[name]": "Запись",
    "fields[name][id]": "name",
    "fields[name][type]": "text",
    "fields[name][title]": "Имя",
    "fields[name][value]": "Анна",
    "fields[name][raw_value]": "Анна",
    "fields[field_7][type]": "tel",
    "fields[field_7][title]": "Как с вами связаться?",
    "fields[field_7][value]": "+77011230103",
    "fields[message][title]": "Сообщение",
    "fields[message][value]": "Перезвоните",
    "meta[page_url][value]": "https://x.kz/",
}


def post(api: APIClient, body: dict[str, str], url: str = SUBMIT_URL) -> Any:
    return api.generic("POST", url, urlencode(body), content_type=FORM)


def the_one(response: Any, status: int = 200) -> Submission:
    assert response.status_code == status, response.content
    assert response.json()["success"] is True
    return Submission.objects.get(pk=response.json()["leadId"])


@pytest.mark.parametrize("url", [SUBMIT_URL, PROFTEST_URL])
def test_tilda_asks_whether_anybody_is_there(api: APIClient, url: str) -> None:
    answer = post(api, {"test": "test"}, url)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert Submission.objects.count() == RefusedForm.objects.count() == 0


def test_a_form_of_tilda(api: APIClient) -> None:
    row = the_one(post(api, TILDA))
    assert (row.name, row.phone, row.email) == (
        "Айгуль",
        "+7 (701) 123-01-02",
        "aigul@example.kz",
    )
    assert row.utm == {"utm_source": "google", "utm_campaign": "Осень"}
    assert row.answers == {"answers": {"Город": "Алматы", "Date": "01.12.2026"}}
    assert row.metadata == {"tranid": "1234567:890123", "formid": "form987"}
    assert (row.source, row.remarks) == ("form987", [])


def test_a_repetition_of_tilda_is_one_submission_whatever_its_cookies(api: APIClient) -> None:
    first = the_one(post(api, TILDA))
    assert the_one(post(api, TILDA | {"COOKIES": "_ga=other"})) == first
    assert the_one(post(api, TILDA | {"tranid": "1234567:890124"})) != first
    assert Submission.objects.count() == 2


def test_who_guesses_an_id_of_tilda_swallows_nobodys_form(api: APIClient) -> None:
    the_one(post(api, TILDA | {"Phone": "+77010000001", "Email": "attacker@example.kz"}))
    assert the_one(post(api, TILDA)).name == "Айгуль"
    assert Submission.objects.count() == 2


def test_an_own_key_counts_more_than_the_id_of_a_builder(api: APIClient) -> None:
    body = urlencode(TILDA)
    answers = [
        api.generic("POST", SUBMIT_URL, body, content_type=FORM, HTTP_IDEMPOTENCY_KEY=key)
        for key in ("a", "a", "b")
    ]
    assert [answer.json()["leadId"] == answers[0].json()["leadId"] for answer in answers] == [
        True,
        True,
        False,
    ]


def test_a_form_of_elementor_with_all_of_its_data(api: APIClient) -> None:
    row = the_one(post(api, ELEMENTOR))
    assert (row.name, row.phone, row.source) == ("Анна", "+77011230103", "Запись")
    assert row.answers == {"answers": {"Сообщение": "Перезвоните"}}
    assert row.metadata["meta"] == {"page_url": {"value": "https://x.kz/"}}
    assert row.remarks == []


def test_a_form_of_elementor_by_its_labels(api: APIClient) -> None:
    row = the_one(
        post(
            api,
            {
                "Ваше имя": "Анна",
                "E-mail": "anna@example.kz",
                "Телефон:": "8 701 123 01 03",
                "Когда": "завтра",
                "Date": "November 25, 2026",
                "Powered by": "Elementor",
                "form_id": "a1b2",
                "form_name": "Запись",
            },
        )
    )
    assert (row.name, row.email, row.phone) == ("Анна", "anna@example.kz", "8 701 123 01 03")
    assert row.answers == {"answers": {"Когда": "завтра"}}
    assert (row.source, row.remarks) == ("Запись", [])


@pytest.mark.parametrize(
    "fields",
    [
        {"name": {"value": "Анна"}, "phone": {"value": "+77011230103"}},
        {"name": "Анна", "phone": "+77011230103"},
        [{"label": "Имя", "value": "Анна"}, {"name": "tel", "value": 77011230103}],
        [{"id": "1", "title": "ФИО", "value": ["Анна"]}, {"type": "TEL", "value": "+77011230103"}],
    ],
)
def test_a_form_of_a_wordpress_plugin_as_json(api: APIClient, fields: Any) -> None:
    row = the_one(api.post(SUBMIT_URL, {"form": {"name": "F"}, "fields": fields}, format="json"))
    assert (row.name, row.phone[-11:], row.source) == ("Анна", "77011230103", "F")
    assert row.remarks == []


def test_a_lead_of_meta(api: APIClient) -> None:
    body = {
        "id": "668610767661077",
        "created_time": "2026-11-25T17:16:51+0000",
        "campaign_name": "Осень",
        "field_data": [
            {"name": "first_name", "values": ["Дана"]},
            {"name": "last_name", "values": ["Ли"]},
            {"name": "phone_number", "values": ["p:+77011230207"]},
            {"name": "какой_курс?", "values": ["UX"]},
        ],
    }
    row = the_one(api.post(SUBMIT_URL, body, format="json"))
    assert (row.name, row.phone) == ("Дана Ли", "+77011230207")
    assert row.answers == {"answers": {"какой_курс?": "UX"}}
    assert row.metadata["campaign_name"] == "Осень"
    assert row.remarks == []


def test_a_row_of_metas_export(api: APIClient) -> None:
    body = {"full_name": "Дана", "phone_number": "p:+77011230207", "platform": "ig"}
    row = the_one(api.post(SUBMIT_URL, body, format="json"), 202)
    assert (row.name, row.phone) == ("Дана", "+77011230207")


def test_a_lead_for_metas_own_test_is_refused(api: APIClient) -> None:
    dummy = "<test lead: dummy data for {}>"
    fields = [
        {"name": name, "values": [dummy.format(name)]}
        for name in ("full_name", "email", "phone_number")
    ]
    answer = api.post(SUBMIT_URL, {"field_data": fields}, format="json")
    assert answer.status_code == 400
    assert RefusedForm.objects.get().body == {"field_data": fields}


def test_a_plain_form_in_russian_with_its_marks(api: APIClient) -> None:
    body = {"Имя": "Анна", "ТЕЛЕФОН": "87011230103", "utm_source": "google", "gclid": "x"}
    row = the_one(post(api, body), 202)
    assert (row.name, row.phone) == ("Анна", "87011230103")
    assert row.utm == {"utm_source": "google", "gclid": "x"}
    assert (row.answers, row.metadata, row.remarks) == ({}, {}, [])


def test_our_own_names_count_more_than_others(api: APIClient) -> None:
    body = {"Телефон": "1", "phone": "87011230103", "имя": "Б", "name": "А", "utmParams[a]": "b"}
    row = the_one(post(api, body | {"utm_source": "google"}), 202)
    assert (row.name, row.phone, row.utm) == ("А", "87011230103", {"a": "b"})
    row = the_one(post(api, {"name": "", "phone": "", "имя": "Б", "тел": "87011230103"}), 202)
    assert (row.name, row.phone) == ("Б", "87011230103")


@pytest.mark.parametrize("junk", [None, True, 5, "x", [], {}, [None], [[1]], {"a": [{}]}, [{}]])
@pytest.mark.parametrize(
    "key", ["fields", "field_data", "form", "tranid", "COOKIES", "formid", "Phone", "Фамилия"]
)
def test_no_junk_of_a_builder_stops_a_person(api: APIClient, key: str, junk: Any) -> None:
    body = {"name": "Анна", "phone": "+77011230103", key: junk}
    response = api.post(SUBMIT_URL, body, format="json")
    assert response.status_code in (200, 202), response.content
    assert Submission.objects.get().phone == "+77011230103"


@pytest.mark.parametrize(
    ("field", "spelling"),
    [(field, spelling) for field, spelled in NAMES.items() for spelling in spelled],
)
def test_every_spelling_means_its_field(field: str, spelling: str) -> None:
    for written in (spelling, spelling.upper(), spelling.replace(" ", "_"), f" {spelling}*: "):
        assert field_called(written) == field


def test_no_spelling_means_two_fields() -> None:
    spelled = [one for spellings in (*NAMES.values(), SURNAMES) for one in spellings]
    assert len(set(spelled)) == len(spelled)
    assert all(is_surname(one) and field_called(one) is None for one in SURNAMES)


@pytest.mark.parametrize("other", ["", "номер заказа", "comment", "phone model", "utm", "1", "📞"])
def test_other_names_mean_nothing(other: str) -> None:
    assert field_called(other) is None
    assert not is_surname(other)
    assert not is_mark(other)


ELSEWHERE = [
    ({"phone": "eip@mail.ru"}, "eip@mail.ru"),
    ({"email": "+77015550012"}, "+77015550012"),
    ({"name": "Анна +77015550012"}, "+77015550012"),
    ({"phone": "нет", "WhatsApp": "8 701 555 77 88"}, "+77015557788"),
    ({"tranid": "1:2", "Phone": "-", "WhatsApp": "+77015557788"}, "+77015557788"),
    ({"email": "нет", "work_email": "W1@x.kz"}, "w1@x.kz"),
    ({"phone": ["123", "+77015557788"]}, "+77015557788"),
    ({"tel-917": "+77015557788"}, "+77015557788"),
    ({"tranid": "1:2", "Phone": "", "Phone_2": "+77015557788"}, "+77015557788"),
    ({"fields": [{"label": "Куда звонить", "value": "+77015557788"}]}, "+77015557788"),
    ({"Куда писать": "пишите на 77015557788@x.kz"}, "77015557788@x.kz"),
    ({"field_data": {"1": {"name": "phone_number", "values": ["+77015557788"]}}}, "+77015557788"),
    ({"field_data": '[{"name": "phone", "values": ["+77015557788"]}]'}, "+77015557788"),
    ({"fields": '{"phone": {"value": "+77015557788"}}'}, "+77015557788"),
    ({"answers": {"Куда звонить": "+77015557788"}}, "+77015557788"),
]


@pytest.mark.parametrize("url", [SUBMIT_URL, PROFTEST_URL])
@pytest.mark.parametrize(("sent", "named"), ELSEWHERE)
def test_who_can_be_reached_by_any_field_is_accepted(
    api: APIClient, url: str, sent: dict[str, Any], named: str
) -> None:
    response = api.post(url, {"name": "Анна"} | sent, format="json")
    assert response.status_code in (200, 202), response.content
    assert {key.value for key in Submission.objects.get().named} == {named}


def test_what_was_found_in_another_field_is_a_remark(api: APIClient) -> None:
    body = {"name": "Анна", "email": "нет", "phone": "нет", "WhatsApp": "8 701 555 77 88"}
    row = the_one(api.post(SUBMIT_URL, body, format="json"), 202)
    assert (row.email, row.phone) == ("нет", "+77015557788")
    assert row.remarks == [
        {"field": "phone", "code": "unusable", "value": "нет"},
        {"field": "phone", "code": "found", "value": "+77015557788"},
        {"field": "email", "code": "unusable", "value": "нет"},
    ]


def test_nobody_is_looked_for_in_the_answers_of_who_can_be_reached(api: APIClient) -> None:
    body = {"name": "Анна", "phone": "+77015557788", "Кто посоветовал": "friend@x.kz"}
    row = the_one(api.post(SUBMIT_URL, body, format="json"), 202)
    assert {key.value for key in row.named} == {"+77015557788"}
    assert (row.email, row.remarks) == ("", [])


@pytest.mark.parametrize("key", ["metadata", "_to", "utm_term", "source", "pageId"])
def test_technical_fields_name_nobody(api: APIClient, key: str) -> None:
    body = {"tranid": "1:2", "name": "Анна", key: {"a": "+77015557788"}}
    assert api.post(SUBMIT_URL, body, format="json").status_code == 400


def test_a_webhook_of_meta(api: APIClient) -> None:
    fields = [
        {"name": "full_name", "values": ["Дана"]},
        {"name": "phone_number", "values": ["+77011230207"]},
    ]
    value = {"leadgen_id": "123", "page_id": "77015557788", "field_data": fields}
    body = {"object": "page", "entry": [{"id": "1", "changes": [{"value": value}]}]}
    row = the_one(api.post(SUBMIT_URL, body, format="json"))
    assert (row.name, row.phone, row.remarks) == ("Дана", "+77011230207", [])
    assert row.metadata == {"leadgen_id": "123", "page_id": "77015557788"}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (SUBMIT_URL, {}),
        (PROFTEST_URL, {"answers": {"Your city": ["A", "B", "C"], "age": 5, "Q": "a"}}),
        ("/api/landing/f/ielts", {"answers": {"city": ["A", "B"], "Your city": "C", "age": 5,
                                              "Q": "a"}}),
    ],
)  # fmt: skip
def test_a_label_of_the_page_is_the_question_unless_the_form_has_one(
    api: APIClient, url: str, kept: dict[str, Any]
) -> None:
    form = LandingForm.objects.create(slug="ielts", title="IELTS")
    FormField.objects.create(form=form, name="city", label="Город")
    body = {
        "Name": "Анна", "tel": "+77015557788", "city": ["A", "B"], "town": "C", "age": 5,
        "answers": {"Q": "a"}, "_labels": {"city": "Your city", "town": "Your city", "age": ""},
    }  # fmt: skip
    row = the_one(api.post(url, body, format="json"), 202)
    assert (row.name, row.phone, row.answers) == ("Анна", "+77015557788", kept)


@pytest.mark.parametrize("labels", [None, 5, "x", [], {"city": [1]}, {"city": {}}])
def test_no_junk_of_labels_stops_a_person(api: APIClient, labels: Any) -> None:
    body = {"phone": "+77015557788", "city": "A", "answers": 5, "_labels": labels}
    the_one(api.post(PROFTEST_URL, body, format="json"), 202)


@pytest.mark.parametrize("body", [{"test": "test"}, {"junk": "1"}])
def test_of_a_form_that_does_not_exist_nothing_is_said_but_that(
    api: APIClient, body: dict[str, str]
) -> None:
    assert post(api, body, "/api/landing/f/nosuch-form").status_code == 404
