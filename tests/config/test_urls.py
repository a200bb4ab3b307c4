"""Addresses that are Django's own and not of use here."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("pk", ["1", "x", "9" * 400])
def test_nothing_is_shown_on_site(client: Client, pk: str) -> None:
    client.force_login(User.objects.create_superuser("root"))
    statuses = {
        str(kind): client.get(f"/admin/r/{kind.pk}/{pk}/").status_code
        for kind in ContentType.objects.all()
    }
    assert {"locks_admin | lock", "leads | submission"} <= {
        f"{kind.app_label} | {kind.model}" for kind in ContentType.objects.all()
    }
    assert set(statuses.values()) == {404}, statuses


def test_everything_can_be_dumped_beside_a_model_without_a_table() -> None:
    output = io.StringIO()
    call_command("dumpdata", stdout=output)
    assert "contenttypes.contenttype" in output.getvalue()
    assert "locks_admin.lock" not in output.getvalue()


def test_browsers_find_an_icon_where_they_look_for_it(client: Client) -> None:
    icon = client.get(client.get("/favicon.ico")["Location"])
    assert (icon.status_code, icon["Content-Type"]) == (200, "image/svg+xml")
    icon.close()  # it holds the file open
