"""What error pages of ``DEBUG`` may show."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

SECRET_URL = "redis://:the-password-of-redis@127.0.0.1:6379/0"


@pytest.fixture
def _with_passwords(settings: Settings) -> None:
    settings.DEBUG = True
    settings.REDIS_URL = settings.CELERY_BROKER_URL = SECRET_URL
    settings.CACHES = {**settings.CACHES, "other": {"LOCATION": [SECRET_URL]}}


@pytest.mark.usefixtures("_with_passwords")
def test_an_error_page_has_no_password_of_a_url(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("leads.api.demo.render", broken)
    client.raise_request_exception = False
    page = client.get("/", headers={"X-Seen-In-Meta": SECRET_URL}).content.decode()
    assert "a mistake of ours" in page
    assert page.count("127.0.0.1:6379/0") >= 4
    assert "the-password-of-redis" not in page


@pytest.mark.usefixtures("_with_passwords")
@pytest.mark.parametrize("path", ["/", "/api/landing/submit", "/nowhere", "/static/x.css"])
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "a b", "[::2]"])
def test_a_foreign_host_gets_a_sentence_and_no_setting(
    client: Client, path: str, host: str
) -> None:
    response = client.post(path, headers={"Host": host})
    kind = "application/json" if path.startswith("/api/") else "text/plain; charset=utf-8"
    assert (response.status_code, response["Content-Type"]) == (400, kind)
    assert "ALLOWED_HOSTS" in response.content.decode()
    assert len(response.content) < 200
