"""Who may know what of a submission."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from pytest_django import Settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from leads.models import Submission
from tests.leads.conftest import Create

pytestmark = pytest.mark.django_db
DUE = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def url(submission: Submission) -> str:
    return f"/api/landing/submissions/{submission.pk}"


def minimal(submission: Submission, status: str) -> dict[str, Any]:
    return {"success": True, "leadId": str(submission.pk), "status": status}


@pytest.mark.parametrize("status", ["accepted", "delivered", "failed"])
@pytest.mark.parametrize("action", ["created", "updated"])
def test_anyone_learns_the_status_and_not_whether_somebody_is_a_customer(
    api: APIClient, create: Create, status: str, action: str
) -> None:
    row = create(status=status, action=action, lead_id=5, attempts=2, reason="Contact 77 exists")
    response = api.get(url(row))
    assert response.status_code == 200
    assert response.json() == minimal(row, status)
    assert response["Cache-Control"] == "no-store"


def test_a_user_who_is_no_staff_is_anyone(api: APIClient, create: Create) -> None:
    row = create(lead_id=5)
    api.force_login(User.objects.create_user("visitor"))
    assert api.get(url(row)).json() == minimal(row, "accepted")


def test_staff_with_a_session_sees_the_crms_side(
    api: APIClient, create: Create, staff: User
) -> None:
    row = create(
        action="created", lead_id=5, attempts=2, next_attempt_at=DUE, reason="Gateway Timeout"
    )
    api.force_login(staff)
    answer = api.get(url(row)).json()
    due = datetime.fromisoformat(answer.pop("nextAttemptAt"))
    assert due == DUE
    assert answer == minimal(row, "accepted") | {
        "action": "created",
        "amocrmLeadId": 5,
        "attempts": 2,
        "error": "Gateway Timeout",
    }


def test_staff_that_may_not_view_submissions_is_anyone(api: APIClient, create: Create) -> None:
    row = create(status="failed", lead_id=5, reason="The e-mail test@onai.academy is taken")
    other = User.objects.create_user("other", is_staff=True)
    api.force_login(other)
    assert api.get(url(row)).json() == minimal(row, "failed")
    other.user_permissions.add(Permission.objects.get(codename="change_submission"))
    api.force_login(User.objects.get(pk=other.pk))
    assert api.get(url(row)).json()["amocrmLeadId"] == 5


def test_whoever_is_no_staff_any_more_is_anyone(
    api: APIClient, create: Create, staff: User
) -> None:
    row = create(lead_id=5)
    staff.is_staff = False
    staff.save()
    api.force_login(staff)
    assert api.get(url(row)).json() == minimal(row, "accepted")


def test_staff_with_a_token_sees_the_crms_side(api: APIClient, create: Create, staff: User) -> None:
    row = create(status=Submission.Status.DELIVERED, action="updated", lead_id=5, attempts=1)
    api.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=staff).key}")
    assert api.get(url(row)).json() == minimal(row, "delivered") | {
        "action": "updated",
        "amocrmLeadId": 5,
        "attempts": 1,
        "nextAttemptAt": None,
        "error": None,
    }


def test_a_wrong_token_is_401_in_the_common_form(api: APIClient, create: Create) -> None:
    api.credentials(HTTP_AUTHORIZATION="Token wrong")
    response = api.get(url(create()))
    assert response.status_code == 401
    assert set(response.json()) == {"success", "error"}


def test_an_unknown_submission_is_404_in_the_common_form(api: APIClient) -> None:
    response = api.get(f"/api/landing/submissions/{uuid.uuid4()}")
    assert response.status_code == 404
    assert response.json()["success"] is False


def test_asking_has_a_pace_of_its_own(
    api: APIClient, create: Create, staff: User, settings: Settings
) -> None:
    settings.LANDING_THROTTLE = "1/min"
    row = create()
    statuses = {api.get(url(row)).status_code for _ in range(600)}
    assert statuses == {200}
    assert api.get(url(row)).status_code == 429
    api.force_login(staff)
    assert api.get(url(row)).status_code == 200
