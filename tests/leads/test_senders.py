"""Whoever sends forms for others has a key: a limit of its own, and the answer it understands."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from leads.forms.senders import new_key
from leads.models import LandingForm, Sender, Submission

pytestmark = pytest.mark.django_db
PERSON = {"name": "Анна", "phone": "+77011230104"}
URL = "/api/landing/f/express"
LIST = "/admin/leads/sender/"


@pytest.fixture
def express() -> LandingForm:
    return LandingForm.objects.get(pk="express")


@pytest.fixture
def made(express: LandingForm) -> tuple[Sender, str]:
    """A sender and its key."""
    sender = Sender(name="Tilda", form=express, per_minute=3)
    key = new_key(sender)
    sender.save()
    return sender, key


def posted(api: APIClient, headers: dict[str, str], url: str = URL, number: int = 0) -> Any:
    body = PERSON | {"phone": f"+770112301{number:02}"}
    return api.post(url, body, format="json", headers=headers)


@pytest.mark.parametrize("way", ["bearer", "header", "query"])
def test_a_key_says_who_sends(api: APIClient, made: tuple[Sender, str], way: str) -> None:
    sender, key = made
    headers = {"bearer": {"Authorization": f"Bearer {key}"}, "header": {"X-Api-Key": key}}
    url = f"{URL}?{urlencode({'key': key})}" if way == "query" else URL
    assert posted(api, headers.get(way, {}), url).status_code == 202
    assert Submission.objects.get().client == sender.client


def test_a_sender_has_a_limit_of_its_own(
    api: APIClient, made: tuple[Sender, str], settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "1/min"
    headers = {"X-Api-Key": made[1]}
    codes = [posted(api, headers, number=number).status_code for number in range(4)]
    assert codes == [202, 202, 202, 429]
    assert [posted(api, {}, number=number).status_code for number in (5, 6)] == [202, 429]


@pytest.mark.parametrize("wants_200", [True, False])
def test_a_sender_gets_the_answer_it_understands(
    api: APIClient, made: tuple[Sender, str], wants_200: bool
) -> None:
    Sender.objects.update(wants_200=wants_200)
    LandingForm.objects.update(next_page="https://landing.example/thanks")
    url = f"{URL}?key={made[1]}"
    encoded = "application/x-www-form-urlencoded"
    answer = api.generic("POST", url, urlencode(PERSON), content_type=encoded)
    assert answer.status_code == (200 if wants_200 else 202)
    answer = api.generic("POST", url, urlencode(PERSON | {"formid": "x"}), content_type=encoded)
    assert answer.status_code == 200, "a builder's form as ever"


@pytest.mark.parametrize("wrong", ["unknown", "switched off", "of another form"])
def test_nobody_is_refused_for_a_wrong_key(
    api: APIClient, made: tuple[Sender, str], wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = "no such key \udcff" if wrong == "unknown" else made[1]
    Sender.objects.update(is_active=wrong != "switched off")
    url = "/api/landing/proftest" if wrong == "of another form" else URL
    assert posted(api, {}, f"{url}?{urlencode({'key': key}, errors='replace')}").status_code == 202
    assert Submission.objects.get().client == "127.0.0.1"
    assert "🔑" in caplog.text
    assert made[1] not in caplog.text


def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


def test_a_key_is_shown_once_and_kept_as_a_digest(api: APIClient) -> None:
    client = admin()
    new = {"name": "Tilda", "form": "express", "per_minute": "600", "is_active": "on"}
    page = client.post(f"{LIST}add/", new, follow=True).content.decode()
    found = re.search(r"f/express\?key=([\w-]{32})<", page)
    assert found
    assert posted(api, {"X-Api-Key": found[1]}).status_code == 202
    sender = Sender.objects.get()
    assert Submission.objects.get().client == sender.client
    assert found[1] not in (sender.key_digest, sender.key_start)
    assert found[1] not in client.get(f"{LIST}{sender.pk}/change/").content.decode()


def test_a_key_that_was_replaced_is_worth_nothing(api: APIClient, made: tuple[Sender, str]) -> None:
    sender, key = made
    client = admin()
    assert client.get(f"{LIST}{sender.pk}/new-key/").status_code == 405
    page = client.post(f"{LIST}{sender.pk}/new-key/", follow=True).content.decode()
    found = re.search(r"\?key=([\w-]{32})<", page)
    assert found
    for one in (key, found[1]):
        posted(api, {"X-Api-Key": one}, number=len(one + found[1]) % 7 + (one == key))
    assert set(Submission.objects.values_list("client", flat=True)) == {
        "127.0.0.1",
        sender.client,
    }


def test_only_whoever_may_change_senders_replaces_keys(made: tuple[Sender, str]) -> None:
    client = Client()
    client.force_login(User.objects.create_user("x", is_staff=True))
    assert client.post(f"{LIST}{made[0].pk}/new-key/").status_code == 403
    assert Sender.objects.get().key_digest == made[0].key_digest
