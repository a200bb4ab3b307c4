"""The admin behind a proxy as the page on deployment sets it up."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings


@pytest.mark.django_db
@pytest.mark.parametrize(("host", "status"), [("testserver:8443", 302), ("testserver", 403)])
def test_logging_in_on_another_port_needs_the_port_in_the_host(
    settings: Settings, host: str, status: int
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    User.objects.create_superuser("root", password="a-password")
    client = Client(enforce_csrf_checks=True, headers={"Host": host, "X-Forwarded-Proto": "https"})
    client.get("/admin/login/")
    form = {
        "username": "root",
        "password": "a-password",
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
        "next": "/admin/",
    }
    answer = client.post("/admin/login/", form, headers={"Origin": "https://testserver:8443"})
    assert answer.status_code == status
