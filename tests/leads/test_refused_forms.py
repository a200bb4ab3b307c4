"""Nobody vanishes: what is refused is counted, told, kept within bounds, mended and sent on."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from amocrm import counters
from leads.models import RefusedForm, Submission
from leads.refused import keeping
from leads.refused.keeping import LONGEST, MOST
from tests.leads.forms import EXPRESS, PROFTEST, PROFTEST_URL, SUBMIT_URL

pytestmark = pytest.mark.django_db
LIST = "/admin/leads/refusedform/"
NOBODY = EXPRESS | {"name": "Дана", "email": "", "phone": "@dana_kz"}


def refuse(api: APIClient, body: Any = NOBODY, url: str = SUBMIT_URL, **headers: str) -> Any:
    answer = api.post(url, body, format="json", headers=headers)
    assert answer.status_code in (400, 404, 422), answer.content
    return answer


def row() -> RefusedForm:
    """The only one."""
    return RefusedForm.objects.get()


def counted() -> int:
    return counters.totals()["form_refused"]


def staff(*codenames: str) -> Client:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def mend(client: Client, refused: RefusedForm, **changes: str) -> Any:
    page = reverse("admin:leads_refusedform_change", args=[refused.pk])
    form = {
        "form": refused.form_id or "",
        "name": refused.name,
        "email": refused.email,
        "phone": refused.phone,
    } | changes
    return client.post(page, form)


def test_a_form_that_names_nobody_is_kept_with_its_reasons(api: APIClient) -> None:
    refuse(api)
    kept = row()
    assert (kept.form_id, kept.name, kept.email, kept.phone) == ("express", "Дана", "", "@dana_kz")
    assert kept.problems == [{"field": "phone", "code": "unusable", "value": "@dana_kz"}]
    assert (kept.body, kept.text, kept.times) == (NOBODY, "", 1)
    assert Submission.objects.count() == 0
    assert counted() == 1


def test_a_proftest_says_of_each_field_what_is_wrong(api: APIClient) -> None:
    refuse(api, PROFTEST | {"email": None, "phone": "call me"}, PROFTEST_URL)
    assert [(one["field"], one["code"]) for one in row().problems] == [
        ("email", "missing"),
        ("phone", "unusable"),
    ]


def test_a_body_that_cannot_be_read_is_kept_as_a_text(api: APIClient) -> None:
    text = '{"name": "Дана",\n "phone": "+77771112233\x00'
    answer = api.post(SUBMIT_URL, text.encode() + b"\xff", content_type="application/json")
    assert answer.status_code == 400
    kept = row()
    assert kept.text == '{"name": "Дана",\n "phone": "+77771112233 �'
    assert kept.problems[0]["value"] == "Запрос не является корректным JSON."
    assert (kept.body, kept.name) == ({}, "")


@pytest.mark.parametrize(
    ("before", "key", "status"), [(True, "k", 422), (False, " ", 400), (False, "x" * 256, 400)]
)
def test_a_good_form_with_a_bad_key_is_kept_too(
    api: APIClient, before: bool, key: str, status: int
) -> None:
    if before:
        api.post(SUBMIT_URL, EXPRESS, format="json", headers={"Idempotency-Key": key})
    answer = refuse(api, EXPRESS | {"name": "Дана"}, **{"Idempotency-Key": key})
    assert answer.status_code == status
    kept = row()
    assert (kept.name, kept.email) == ("Дана", "test@onai.academy")
    assert [(one["field"], one["code"]) for one in kept.problems] == [("form", "refused")]
    assert "Idempotency-Key" in kept.problems[0]["value"]


@pytest.mark.parametrize("body", ["", "{}", '{"name": "", "utmParams": []}', '{"name": "\\u200b"}'])
def test_what_is_empty_is_counted_and_not_kept(api: APIClient, body: str) -> None:
    assert api.post(SUBMIT_URL, body, content_type="application/json").status_code == 400
    assert RefusedForm.objects.count() == 0
    assert counted() == 1


def test_nothing_is_kept_of_a_request_that_posts_nothing(api: APIClient) -> None:
    assert api.get(SUBMIT_URL).status_code == 405
    assert api.get("/api/landing/f/express/").status_code == 404
    assert RefusedForm.objects.count() == 0
    assert counted() == 0


@pytest.mark.parametrize("address", ["f/express/", "proftest/", "f/школа", "form/express"])
def test_what_goes_to_a_mistyped_address_is_kept(api: APIClient, address: str) -> None:
    assert api.post(f"/api/landing/{address}", EXPRESS, format="json").status_code == 404
    kept = row()
    assert (kept.form_id, kept.email, kept.body) == (None, EXPRESS["email"], EXPRESS)
    assert [(one["code"], one["value"]) for one in kept.problems] == [("no_form", address)]
    assert counted() == 1


MANY = "".join(
    f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\nДана\r\n' for n in range(1200)
)


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (json.dumps(NOBODY), "application/octet-stream", "415 unsupported media type"),
        ("<name>Дана</name>", "application/xml", "415 unsupported media type"),
        ("name: Дана" + " " * 70_000, "application/json", "413 body too big"),
        ("--b\r\nДана", "multipart/form-data", "400 unreadable"),
        (MANY + "--b--\r\n", "multipart/form-data; boundary=b", "400 unreadable"),
        ("--b\r\nДана" + " " * 9_000_000, "multipart/form-data; boundary=b", "413 body too big"),
    ],
    ids=["JSON", "XML", "long", "no boundary", "many fields", "big file"],
)
def test_what_could_not_be_read_is_kept_and_the_log_says_why(
    api: APIClient, caplog: pytest.LogCaptureFixture, body: str, kind: str, why: str
) -> None:
    assert api.post(SUBMIT_URL, body, content_type=kind).status_code == int(why[:3])
    kept = row()
    assert kept.name == "Дана" if kept.body else "Дана" in kept.text
    assert f"🚫 Refused express: form refused: {why}" in "\n".join(caplog.messages)


def test_the_same_form_again_is_the_same_row(api: APIClient) -> None:
    for body in (NOBODY, NOBODY, dict(reversed(NOBODY.items())), NOBODY | {"name": "Анна"}):
        refuse(api, body)
    refuse(api, NOBODY, PROFTEST_URL)
    times = RefusedForm.objects.order_by("created_at").values_list("form", "times")
    assert list(times) == [("express", 3), ("express", 1), ("proftest", 1)]


def test_they_are_bounded_in_number(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 100
    monkeypatch.setattr(keeping, "MOST", 3)
    for number in range(5):
        refuse(api, NOBODY | {"name": str(number)})
    assert set(RefusedForm.objects.values_list("name", flat=True)) == {"2", "3", "4"}


def test_what_names_nobody_pushes_out_its_own_kind(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST", 4)
    refuse(api, EXPRESS | {"name": "bad key"}, **{"Idempotency-Key": " "})
    api.post(SUBMIT_URL, "{phone: 8 (701) 123-01-02}", content_type="application/json")
    api.post("/api/landing/f/gone", EXPRESS | {"name": "no form"}, format="json")
    refuse(api)
    for number in range(5):
        refuse(api, {"junk": number}, "/api/landing/f/zzz")
        refuse(api, {"name": "junk", "source": number})
        refuse(api, {"phone": "12", "source": number}, "/api/landing/f/zzz")
    people = {"bad key", "", "no form", "Дана"}
    assert set(RefusedForm.objects.values_list("name", flat=True)) == people


def test_they_are_bounded_in_age(api: APIClient) -> None:
    for number in range(2):
        refuse(api, NOBODY | {"name": str(number)})
    RefusedForm.objects.filter(name="0").update(created_at=timezone.now() - LONGEST)
    RefusedForm.objects.filter(name="1").update(created_at=timezone.now() - LONGEST / 2)
    refuse(api, NOBODY | {"name": "2"})
    assert set(RefusedForm.objects.values_list("name", flat=True)) == {"1", "2"}


def test_one_address_pushes_nobody_out(api: APIClient, settings: Settings) -> None:
    settings.LANDING_THROTTLE = "2/min"
    for number in range(5):
        refuse(api, NOBODY | {"name": str(number)})
    assert RefusedForm.objects.count() == 2
    assert counted() == 5


@pytest.mark.parametrize(
    "value", ["\x00", "\ud800", [[[[[[[["x"]]]]]]]], 10**400, {"\x00": {"": None}}, 1e308]
)
def test_whatever_was_sent_can_be_kept(api: APIClient, value: Any) -> None:
    text = json.dumps(NOBODY | {"metadata": value, "unknown": value})
    assert api.post(SUBMIT_URL, text, content_type="application/json").status_code == 400
    row().refresh_from_db()
    assert row().name == "Дана"


def test_a_database_that_does_not_take_it_changes_no_answer(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise DatabaseError("full")

    monkeypatch.setattr(keeping, "_keep", broken)
    assert list(refuse(api).json()["fields"]) == ["phone"]


@pytest.mark.parametrize("pii", ["full", "masked"])
def test_one_line_says_which_field_and_why(
    api: APIClient, settings: Settings, caplog: pytest.LogCaptureFixture, pii: str
) -> None:
    settings.LOG_PII = pii
    refuse(api)
    told = [line for line in caplog.messages if "Refused" in line]
    who = " · Дана / @dana_kz" if pii == "full" else ""
    assert told == [f"🚫 Refused express: phone unusable{who}"]
    if pii == "masked":
        assert not [line for line in caplog.messages if "dana" in line.lower() or "Дана" in line]


def test_the_page_shows_reasons_in_words_and_what_was_sent(api: APIClient, client: Client) -> None:
    refuse(api, NOBODY | {"name": "<b>Дана</b>"})
    client = staff("view_refusedform")
    listed = client.get(LIST).content.decode()
    assert "Телефон: такого нет, по нему никого не искали" in listed
    page = client.get(reverse("admin:leads_refusedform_change", args=[row().pk])).content.decode()
    assert "&quot;campaignSlug&quot;: &quot;autumn&quot;" in page
    assert "&lt;b&gt;Дана&lt;/b&gt;" in page
    assert "<b>Дана" not in page
    assert "leads/refused.css" in page
    assert '<pre class="sent">' in page
    assert "Передать" not in page


def test_an_operator_mends_one_and_sends_it_on(
    api: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    refuse(api)
    came = timezone.now() - timedelta(days=1)
    RefusedForm.objects.update(created_at=came)
    client = staff("change_refusedform", "view_submission")
    assert (
        "Передать"
        in client.get(reverse("admin:leads_refusedform_change", args=[row().pk])).content.decode()
    )

    with django_capture_on_commit_callbacks(execute=True):
        assert mend(client, row(), phone="8 701 123 01 02").status_code == 302

    sent = Submission.objects.get()
    assert (sent.name, sent.phone, sent.form_id) == ("Дана", "8 701 123 01 02", "express")
    assert (sent.campaign_slug, sent.payment_method) == ("autumn", "kaspi")
    assert sent.utm == EXPRESS["utmParams"]
    assert sent.status == "accepted"
    (remark,) = sent.remarks
    assert (remark["code"], remark["value"]) == (
        "mended",
        f"{timezone.localtime(came):%d.%m.%Y %H:%M}",
    )
    assert row().submission == sent
    assert str(sent.pk) in client.get(LIST).content.decode()


def test_what_still_names_nobody_is_not_sent_on(
    api: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    refuse(api)
    with django_capture_on_commit_callbacks(execute=True):
        page = mend(staff("change_refusedform"), row(), phone="123", name="")
    assert page.status_code == 200
    assert "укажите его вместе с кодом страны" in page.content.decode()
    assert Submission.objects.count() == 0
    assert row().phone == "@dana_kz"


def test_a_text_that_could_not_be_read_is_sent_on_by_hand(
    api: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    api.post(SUBMIT_URL, "{name: Дана}", content_type="application/json")
    with django_capture_on_commit_callbacks(execute=True):
        mend(staff("change_refusedform"), row(), name="Дана", email="dana@example.kz")
    sent = Submission.objects.get()
    assert (sent.name, sent.email) == ("Дана", "dana@example.kz")
    assert sent.metadata == {"text": "{name: Дана}"}


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_one_is_sent_on_once(api: APIClient) -> None:
    refuse(api)
    client, refused = staff("change_refusedform"), row()
    for phone in ("8 701 123 01 02", "8 701 123 01 03"):
        RefusedForm.objects.update(submission=None)  # both operators had the page open
        mend(client, refused, phone=phone)
    assert Submission.objects.get().phone == "8 701 123 01 02"
    assert "Её уже кто-то передал." in client.get(LIST).content.decode()


def test_what_was_sent_on_is_only_to_be_read(
    api: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    refuse(api)
    client = staff("change_refusedform")
    with django_capture_on_commit_callbacks(execute=True):
        mend(client, row(), phone="8 701 123 01 02")
    assert mend(client, row(), phone="8 701 123 01 03").status_code == 403
    page = client.get(reverse("admin:leads_refusedform_change", args=[row().pk]))
    assert (page.status_code, "Передать" in page.content.decode()) == (200, False)


@pytest.mark.parametrize("may", ["view_refusedform", "change_submission"])
def test_who_may_not_mend_does_not(api: APIClient, may: str) -> None:
    refuse(api)
    client = staff(may)
    assert mend(client, row(), phone="8 701 123 01 02").status_code == 403
    assert client.get(LIST + "add/").status_code == 403
    assert client.post(f"{LIST}{row().pk}/delete/", {"post": "yes"}).status_code == 403
    assert row().phone == "@dana_kz"
    assert client.get(LIST).status_code == (200 if may == "view_refusedform" else 403)


def test_mending_needs_a_csrf_token(api: APIClient) -> None:
    refuse(api)
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    assert mend(client, row(), phone="8 701 123 01 02").status_code == 403
    assert Submission.objects.count() == 0
