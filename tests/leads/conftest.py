"""What the tests of this app share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from leads.api.throttles import LandingThrottle, MemoryThrottle
from leads.delivery import dispatch
from leads.delivery.bell import bell
from leads.delivery.dispatch import breaker
from leads.forms import known
from leads.limits import PersonLimit
from leads.models import Submission
from tests.leads.forms import EXPRESS, PROFTEST

Create = Callable[..., Submission]
Told = Callable[[], int]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """No calls counted and no broker left alone because of an earlier test."""
    MemoryThrottle.cache.clear()
    PersonLimit.cache.clear()
    LandingThrottle.heard.clear()
    known.forget()
    breaker.close()
    yield
    breaker.close()


@pytest.fixture
def api() -> APIClient:
    """A landing page's client: anonymous, JSON."""
    return APIClient()


@pytest.fixture
def proftest() -> dict[str, Any]:
    """A proftest as the page sends it."""
    return dict(PROFTEST)


@pytest.fixture
def express() -> dict[str, Any]:
    """An express course form as the page sends it."""
    return dict(EXPRESS)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """How often the workers were told that there is work, once the bell is quiet."""
    times: list[datetime] = []

    def remember(found_at: datetime) -> bool:
        times.append(found_at)
        return True

    def count() -> int:
        bell.wait()
        return len(times)

    monkeypatch.setattr(dispatch, "tell_workers", remember)
    return count


@pytest.fixture
def create() -> Create:
    """Make a submission that is due."""

    def make(**values: Any) -> Submission:
        return Submission.objects.create(
            **{
                "form_id": "proftest",
                "name": "Test User",
                "email": "test@onai.academy",
                "phone": "+77771112233",
            }
            | values
        )

    return make


@pytest.fixture
def staff(db: None) -> User:
    """Staff who may see submissions and nothing else."""
    user = User.objects.create_user("observer", password="a-password", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_submission"))
    return user
