"""The demo page is there for developers and nobody else."""

from __future__ import annotations

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from pytest_django import Settings

from tests.leads.conftest import Create


def test_with_debug_there_is_a_page_with_both_forms(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    page = client.get("/").content.decode()
    for slug in ("proftest", "express"):
        assert f'data-landing="{slug}" method="post" action="/api/landing/f/{slug}"' in page
    assert page.count('name="paymentMethod"') == 3
    assert '<html lang="ru">' in page
    assert "Отправить" in page


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "en", "en"),
        ("?lang=en", "ru", "en"),
        ("?lang=ru", "en", "ru"),
        ("?lang=<script>", "", "ru"),
    ],
)
def test_the_page_speaks_both_languages(
    client: Client, settings: Settings, query: str, header: str, language: str
) -> None:
    settings.DEBUG = True
    page = client.get(f"/{query}", HTTP_ACCEPT_LANGUAGE=header).content.decode()
    assert f'<html lang="{language}">' in page
    assert ("Send" in page) == (language == "en")


def test_the_page_obeys_a_strict_policy(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    page = client.get("/").content.decode()
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for asset in ("leads/landing.js", "leads/demo.js", "leads/demo.css"):
        assert asset in page
        assert finders.find(asset)


def test_without_debug_it_leads_to_the_admin(client: Client, settings: Settings) -> None:
    settings.DEBUG = False
    response = client.get("/")
    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.django_db
def test_only_with_debug_anybody_learns_which_lead_it_became(
    client: Client, settings: Settings, create: Create
) -> None:
    address = f"/demo/outcomes/{create(lead_id=7, action='updated').pk}"
    settings.DEBUG = False
    assert client.get(address).status_code == 404
    settings.DEBUG = True
    url = f"{settings.AMOCRM_BASE_URL}/leads/detail/7"
    assert client.get(address).json() == {"action": "updated", "leadId": 7, "url": url}
    unknown = client.get(f"/demo/outcomes/{create().pk}")
    assert unknown.json() == {"action": "", "leadId": None, "url": None}
