"""Forms are rows: one that was made a moment ago takes people, and says what becomes of them."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from leads.delivery.mapping import lead_request
from leads.forms import known
from leads.models import LandingForm, RefusedForm, Submission
from leads.remarks import sentence
from tests.leads.forms import EXPRESS, PROFTEST

pytestmark = pytest.mark.django_db
PERSON = {"name": "Анна", "phone": "+77011230104"}
ENCODED = "application/x-www-form-urlencoded"
URL = "/api/landing/f/ielts"
LIST = "/admin/leads/landingform/"


@pytest.fixture
def ielts() -> LandingForm:
    form = LandingForm.objects.create(
        slug="ielts",
        title="IELTS",
        lead_name="{name} — {form}",
        stage=32392177,
        tags="языки, осень,",
        responsible_user=504144,
        allowed_origins="https://ielts.example\nhttps://other.example:8443",
        next_page="https://ielts.example/thanks",
    )
    form.fields.create(name="level", label="Какой у вас уровень?")
    return form


def sent(api: APIClient, body: Any, url: str = URL, status: int = 202) -> Submission:
    answer = api.post(url, body, format="json")
    assert answer.status_code == status, answer.content
    return Submission.objects.get(pk=answer.json()["leadId"])


def staff(*codenames: str) -> Client:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.usefixtures("ielts")
def test_a_form_says_what_becomes_of_its_leads(api: APIClient) -> None:
    row = sent(api, PERSON | {"level": "B2", "город": "Алматы", "_token": "x"})
    request = lead_request(row)
    assert row.form_id == "ielts"
    assert request.lead_name == "Анна — IELTS"
    assert (request.stage, request.responsible_user) == (32392177, 504144)
    assert request.tags == ("языки", "осень")
    assert request.note_title == "Заявка с сайта: IELTS"
    assert request.note_lines[-2:] == ("1. Какой у вас уровень?: B2", "2. город: Алматы")


def test_two_fields_with_one_label_are_two_answers(api: APIClient, ielts: LandingForm) -> None:
    ielts.fields.create(name="level2", label="Какой у вас уровень?")
    lines = lead_request(sent(api, PERSON | {"level": "B2", "level2": "C1"})).note_lines
    assert [line.rpartition(": ")[2] for line in lines[-2:]] == ["B2", "C1"]


@pytest.mark.usefixtures("ielts")
def test_answers_are_kept_however_they_are_sent(api: APIClient) -> None:
    row = sent(api, PERSON | {"level": "B2", "answers": {"Цель": "учёба"}})
    assert row.answers == {"answers": {"level": "B2", "Цель": "учёба"}}
    row = sent(api, PERSON | PROFTEST | EXPRESS)
    assert (row.payment_method, len(row.answers["proftestAnswers"])) == ("kaspi", 1)


def test_what_is_changed_counts_at_once_also_for_what_waits(
    api: APIClient, ielts: LandingForm
) -> None:
    waiting = sent(api, PERSON)
    LandingForm.objects.filter(pk="ielts").update(stage=32392174, tags="")
    waiting.refresh_from_db()
    assert (lead_request(waiting).stage, lead_request(waiting).tags) == (32392174, ())


@pytest.mark.parametrize(
    ("slug", "body", "setting"),
    [
        ("proftest", PROFTEST, "AMOCRM_STATUS_PROFTEST"),
        ("express", PERSON, "AMOCRM_STATUS_EXPRESSCOURSE"),
    ],
)
def test_the_first_two_forms_have_the_stages_of_the_settings_where_set(
    api: APIClient, settings: Settings, slug: str, body: dict[str, Any], setting: str
) -> None:
    LandingForm.objects.filter(pk=slug).update(stage=1)
    row = sent(api, body, f"/api/landing/f/{slug}")
    assert lead_request(row).stage == getattr(settings, setting)
    setattr(settings, setting, None)
    assert lead_request(row).stage == 1


def test_the_first_two_forms_ignore_unknown_fields_as_they_promised(api: APIClient) -> None:
    assert sent(api, PERSON | {"city": "Алматы"}, "/api/landing/submit").answers == {}


@pytest.mark.usefixtures("ielts")
def test_a_form_that_there_is_not_is_kept_for_an_operator_who_knows_which_it_was(
    api: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    answer = api.post("/api/landing/f/ielst", PERSON | {"level": "B2"}, format="json")
    assert (answer.status_code, answer.json()["error"]) == (404, "Такой формы больше нет.")
    refused = RefusedForm.objects.get()
    assert (refused.form, refused.name, Submission.objects.count()) == (None, "Анна", 0)
    assert sentence(refused.problems[0]) == "Форма: нет такой, или она выключена: ielst"

    client = staff("view_refusedform", "change_refusedform", "view_landingform")
    page = reverse("admin:leads_refusedform_change", args=[refused.pk])
    assert "IELTS" in client.get(page).content.decode()
    client.post(page, {"form": "", **PERSON, "email": ""})
    assert Submission.objects.count() == 0
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page, {"form": "ielts", **PERSON, "email": ""})
    row = Submission.objects.get()
    assert (row.form_id, row.answers) == ("ielts", {"answers": {"level": "B2"}})
    refused.refresh_from_db()
    assert refused.form_id == "ielts"


def test_a_form_that_is_switched_off_refuses_and_keeps(api: APIClient, ielts: LandingForm) -> None:
    for form in LandingForm.objects.all():
        form.is_active = False
        form.save()
    for url in (URL, "/api/landing/submit"):
        assert api.post(url, PERSON, format="json").status_code == 404
    assert set(RefusedForm.objects.values_list("form", flat=True)) == {"ielts", "express"}
    assert Submission.objects.count() == 0


@pytest.mark.usefixtures("ielts")
@pytest.mark.parametrize(
    ("next_page", "location"),
    [
        ("", "https://ielts.example/thanks"),
        ("https://other.example:8443/ok", "https://other.example:8443/ok"),
        ("https://landing.example/ok", "https://landing.example/ok"),
        ("https://evil.example/", "https://ielts.example/thanks"),
    ],
)
def test_a_plain_form_leads_on_to_the_forms_own_pages(
    api: APIClient, next_page: str, location: str
) -> None:
    body = urlencode(PERSON | {"_next": next_page})
    answer = api.generic("POST", URL, body, content_type=ENCODED)
    assert (answer.status_code, answer["Location"]) == (303, location)


@pytest.mark.usefixtures("ielts")
def test_a_builder_waits_for_an_answer_and_not_for_a_page(api: APIClient) -> None:
    body = urlencode({"Name": "Анна", "Phone": "+77011230104", "formid": "form1"})
    assert api.generic("POST", URL, body, content_type=ENCODED).status_code == 200


def preflight(api: APIClient, origin: str, url: str = URL) -> Any:
    return api.options(
        url, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    ).get("Access-Control-Allow-Origin")


@pytest.mark.usefixtures("ielts")
def test_pages_of_a_form_may_send_it_by_javascript_and_no_others(api: APIClient) -> None:
    assert preflight(api, "https://ielts.example") == "https://ielts.example"
    answer = api.post(URL, PERSON, format="json", headers={"Origin": "https://ielts.example"})
    assert answer["Access-Control-Allow-Origin"] == "https://ielts.example"
    assert preflight(api, "https://other.example") is None  # another port
    assert preflight(api, "https://ielts.exampl") is None
    assert preflight(api, "https://ielts.example", "/api/admin/amocrm-locks/status") is None
    LandingForm.objects.update(is_active=False)
    assert preflight(api, "https://ielts.example") is None


def test_a_form_made_in_the_admin_takes_people_at_once(api: APIClient) -> None:
    client = staff("add_landingform", "change_landingform", "add_formfield")
    inline = {"fields-TOTAL_FORMS": "1", "fields-INITIAL_FORMS": "0"}
    field = {"fields-0-name": "city", "fields-0-label": "Город", "fields-0-position": "0"}
    made = {
        "slug": "chess",
        "title": "Шахматы",
        "is_active": "on",
        "lead_name": "{form}: {name}",
        "allowed_origins": "https://Chess.example/",
    }
    assert client.post(f"{LIST}add/", made | inline | field).status_code == 302
    assert LandingForm.objects.get(pk="chess").allowed_origins == "https://chess.example"
    page = client.get(f"{LIST}chess/change/").content.decode()
    assert "http://testserver/api/landing/f/chess" in page
    assert "data-landing=&quot;chess&quot;" in page
    assert "&lt;label&gt;Город &lt;input name=&quot;city&quot;&gt;" in page
    row = sent(api, PERSON | {"city": "Алматы"}, "/api/landing/f/chess")
    assert "1. Город: Алматы" in lead_request(row).note_lines
    tried = client.get(f"{LIST}chess/try/").content.decode()
    assert '<form data-landing="chess" method="post"' in tried


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lead_name": "{name.__class__}"}, "lead_name"),
        ({"lead_name": "{city}"}, "lead_name"),
        ({"allowed_origins": "https://a.example/page"}, "allowed_origins"),
        ({"allowed_origins": "a.example"}, "allowed_origins"),
        ({"allowed_origins": "https://user@a.example"}, "allowed_origins"),
        ({"allowed_origins": "javascript:alert(1)"}, "allowed_origins"),
        ({"next_page": "javascript:alert(1)"}, "next_page"),
        ({"next_page": "ftp://a.example/"}, "next_page"),
        ({"title": "\u202e"}, "title"),
        ({"slug": "a b"}, "slug"),
        ({"stage": "-1"}, "stage"),
    ],
)
def test_what_cannot_be_is_said_beside_the_field(wrong: dict[str, str], field: str) -> None:
    client = staff("view_landingform", "add_landingform")
    good = {"slug": "a", "title": "A", "lead_name": "{form}: {name}", "fields-TOTAL_FORMS": "0"}
    answer = client.post(f"{LIST}add/", good | {"fields-INITIAL_FORMS": "0"} | wrong)
    assert list(answer.context["adminform"].form.errors) == [field]


def test_what_was_sent_keeps_its_form(api: APIClient, ielts: LandingForm) -> None:
    client = staff("view_landingform", "delete_landingform")
    sent(api, PERSON)
    for slug in ("ielts", "proftest"):
        assert client.post(f"{LIST}{slug}/delete/", {"post": "yes"}).status_code == 403
    Submission.objects.all().delete()
    client.post(f"{LIST}ielts/delete/", {"post": "yes"})
    assert not LandingForm.objects.filter(pk="ielts").exists()


def test_whoever_may_not_see_forms_may_not_try_them() -> None:
    assert staff("view_submission").get(f"{LIST}proftest/try/").status_code == 403
    assert Client().get(f"{LIST}proftest/try/").status_code == 302


def test_a_name_cannot_break_out_of_the_snippet() -> None:
    LandingForm.objects.create(slug="x", title="X", next_page="https://a.example/?a=%22b&c")
    form = LandingForm.objects.get(pk="x")
    form.fields.create(name='a"><script>', label="<b>Город</b>")
    client = staff("view_landingform")
    tried = client.get(f"{LIST}x/try/").content.decode()
    assert "<b>Город" not in tried
    assert 'a"><script>' not in tried


@pytest.mark.usefixtures("ielts")
def test_a_form_is_read_once_for_many_and_forgotten_when_it_changes(api: APIClient) -> None:
    def reads() -> int:
        with CaptureQueriesContext(connection) as queries:
            sent(api, PERSON)
        return sum("leads_landingform" in one["sql"] for one in queries)

    assert [reads(), reads()] == [1, 0]
    LandingForm.objects.get(pk="ielts").save()
    assert [reads(), reads()] == [1, 0]


@pytest.mark.usefixtures("ielts")
def test_what_another_process_changed_counts_a_moment_later(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(api, PERSON)
    LandingForm.objects.filter(pk="ielts").update(is_active=False)
    later = time.monotonic() + known.SECONDS
    monkeypatch.setattr(known, "monotonic", lambda: later)
    assert api.post(URL, PERSON, format="json").status_code == 404


def test_addresses_are_sent_on_as_browsers_ask_for_them(api: APIClient, ielts: LandingForm) -> None:
    ielts.allowed_origins = "https://школа.рф\nhttps://a.example:443\nhttp://b.example:80/"
    ielts.next_page = "https://школа.рф/спасибо?от=нас"
    ielts.full_clean()
    ielts.save()
    assert ielts.origins() == {
        "https://xn--80atdl2c.xn--p1ai",
        "https://a.example",
        "http://b.example",
    }
    for wanted, address in (
        ("", "https://xn--80atdl2c.xn--p1ai/%D1%81%D0%BF%D0%B0%D1%81%D0%B8%D0%B1%D0%BE"),
        ("https://a.example/да", "https://a.example/%D0%B4%D0%B0"),
        ("https://a.example\\.evil.example/да", "https://xn--80atdl2c.xn--p1ai/"),
        ("https://x@evil.example/да", "https://xn--80atdl2c.xn--p1ai/"),
        ("https://я@a.example/", "https://xn--80atdl2c.xn--p1ai/"),
    ):
        body = urlencode(PERSON | {"_next": wanted})
        answer = api.generic("POST", URL, body, content_type=ENCODED)
        assert answer["Location"].startswith(address), wanted


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_a_form_that_was_deleted_a_moment_ago_loses_nobody(api: APIClient) -> None:
    LandingForm.objects.create(slug="gone", title="Gone")
    sent(api, PERSON, "/api/landing/f/gone")
    Submission.objects.all().delete()
    # As another process does it: nobody tells this one.
    LandingForm.objects.filter(pk="gone")._raw_delete("default")
    answer = api.post("/api/landing/f/gone", PERSON, format="json")
    assert answer.status_code == 404
    assert (RefusedForm.objects.get().name, RefusedForm.objects.get().form) == ("Анна", None)


def test_a_title_is_no_place_for_the_person(api: APIClient, ielts: LandingForm) -> None:
    ielts.title, ielts.lead_name = "{name} {form}", "{form}: {name}"
    ielts.save()
    assert lead_request(sent(api, PERSON | {"name": "{form}"})).lead_name == "{name} {form}: {form}"
