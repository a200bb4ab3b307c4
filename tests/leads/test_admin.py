"""The pages of submissions: who may see and do what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from amocrm.errors import ComeBack, RetryLater
from leads.admin.submissions import SubmissionAdmin
from leads.delivery.attempt import deliver
from leads.models import Submission
from tests.leads.conftest import Create, Told

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
LIST = "/admin/leads/submission/"
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def operator(staff: User) -> User:
    """Staff who may deliver again."""
    staff.user_permissions.add(Permission.objects.get(codename="change_submission"))
    return staff


def page_of(row: Submission) -> str:
    return reverse("admin:leads_submission_change", args=[row.pk])


def again(client: Client, *rows: Submission) -> Any:
    data = {"action": "deliver_again", "_selected_action": [str(row.pk) for row in rows]}
    return client.post(LIST, data)


def test_the_list_shows_person_status_and_a_link_to_the_lead(
    client: Client, create: Create, staff: User
) -> None:
    create(lead_id=12345, name="<b>Aida</b>")
    client.force_login(staff)
    page = client.get(LIST).content.decode()
    assert "test@onai.academy" in page
    assert "/leads/detail/12345" in page
    assert "&lt;b&gt;Aida&lt;/b&gt;" in page
    assert "<b>Aida</b>" not in page


@pytest.mark.parametrize("query", ["aida", "12345", "+77771112233", "%00", "'"])
def test_searching_works_for_anything(
    client: Client, create: Create, staff: User, query: str
) -> None:
    row = create(name="Aida", lead_id=12345)
    client.force_login(staff)
    assert client.get(LIST, {"q": query}).status_code == 200
    assert str(row.pk) in client.get(LIST, {"q": str(row.pk)}).content.decode()


def test_the_page_shows_every_try_and_nothing_to_edit(
    client: Client, create: Create, operator: User
) -> None:
    row = create()

    def upsert(*_: Any) -> Any:
        raise RetryLater("Gateway <Timeout>").with_response(status=504, request_id="r-1")

    deliver(row.pk, upsert=upsert)
    client.force_login(operator)
    page = client.get(page_of(row)).content.decode()
    assert "Gateway &lt;Timeout&gt;" in page
    assert "504" in page
    assert "r-1" in page
    assert 'name="email"' not in page
    client.post(page_of(row), {"name": "Changed", "status": "delivered"})
    assert Submission.objects.filter(name="Test User", status="accepted").count() == 1


def test_the_page_counts_the_tries_that_came_back(
    client: Client, create: Create, staff: User
) -> None:
    row = create()

    def upsert(*_: Any) -> Any:
        raise ComeBack("an earlier call may still make the lead")

    for _ in range(37):
        Submission.objects.update(next_attempt_at=timezone.now())
        deliver(row.pk, upsert=upsert)
    client.force_login(staff)
    page = client.get(page_of(row)).content.decode()
    assert "<p>37</p>" in page
    assert page.count("<p>an earlier call may still make the lead</p>") == 1


def test_only_what_is_not_delivered_has_a_next_attempt(create: Create) -> None:
    shown = SubmissionAdmin(Submission, admin.site).next_attempt
    waiting = create(next_attempt_at=LATER)
    assert shown(waiting) == LATER
    assert shown(create(status="delivered")) is None
    assert shown(create(status="failed")) is None


@pytest.mark.parametrize("superuser", [True, False])
def test_nobody_adds_or_deletes(client: Client, create: Create, superuser: bool) -> None:
    row = create(status="failed")
    user = User.objects.create_user("somebody", is_staff=True, is_superuser=superuser)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="leads"))
    client.force_login(user)
    assert client.get(LIST + "add/").status_code == 403
    assert client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert Submission.objects.count() == 1


def test_a_failed_submission_is_delivered_again(
    client: Client,
    create: Create,
    operator: User,
    told: Told,
    django_capture_on_commit_callbacks: Any,
) -> None:
    failed = create(status="failed", attempts=11, lead_id=5, action="created", reason="Timeout")
    delivered = create(status="delivered")
    leased = create(attempts=3, leased_until=LATER, lease_token="another/1/x")
    client.force_login(operator)

    with django_capture_on_commit_callbacks(execute=True):
        response = again(client, failed, delivered, leased)

    assert response.status_code == 302
    failed.refresh_from_db()
    assert (failed.status, failed.attempts) == ("accepted", 0)
    assert failed.next_attempt_at <= timezone.now()
    assert (failed.lead_id, failed.action) == (5, "created"), "what is known is kept"
    assert Submission.objects.get(pk=delivered.pk).status == "delivered"
    assert Submission.objects.get(pk=leased.pk).attempts == 3
    assert told() == int(settings.REDIS_ENABLED)
    assert LogEntry.objects.get().object_id == str(failed.pk)
    assert "1 заявка будет доставлена снова" in client.get(LIST).content.decode()


def test_what_waits_for_its_retry_is_tried_now(
    client: Client,
    create: Create,
    operator: User,
    told: Told,
    django_capture_on_commit_callbacks: Any,
) -> None:
    row = create(attempts=10, next_attempt_at=LATER, scheduled_at=LATER, reason="Timeout")
    client.force_login(operator)

    with django_capture_on_commit_callbacks(execute=True):
        again(client, row)

    row.refresh_from_db()
    assert (row.status, row.attempts, row.scheduled_at) == ("accepted", 0, None)
    assert row.next_attempt_at <= timezone.now()
    assert told() == int(settings.REDIS_ENABLED)
    assert LogEntry.objects.get().object_id == str(row.pk)


def test_what_is_delivered_is_left_alone(client: Client, create: Create, operator: User) -> None:
    row = create(status="delivered", attempts=1)
    client.force_login(operator)
    again(client, row)
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("delivered", 1)
    assert LogEntry.objects.count() == 0


def test_staff_who_may_only_look_cannot_deliver_again(
    client: Client, create: Create, staff: User
) -> None:
    row = create(status="failed")
    client.force_login(staff)
    assert "deliver_again" not in client.get(LIST).content.decode()
    again(client, row)
    assert Submission.objects.get().status == "failed"


def test_staff_without_a_permission_and_strangers_see_nothing(
    client: Client, create: Create
) -> None:
    row = create(status="failed")
    assert client.get(LIST).status_code == 302
    again(client, row)
    client.force_login(User.objects.create_user("other", is_staff=True))
    assert client.get(LIST).status_code == 403
    assert client.get(page_of(row)).status_code == 403
    again(client, row)
    assert Submission.objects.get().status == "failed"


def test_delivering_again_needs_a_csrf_token_and_a_post(create: Create, operator: User) -> None:
    row = create(status="failed")
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert again(client, row).status_code == 403
    client.get(LIST, {"action": "deliver_again", "_selected_action": str(row.pk)})
    assert Submission.objects.get().status == "failed"
