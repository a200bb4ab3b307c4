"""Locks in every state, and people with and without permissions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
import redis
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from amocrm.locks import history
from amocrm.locks.holder import Holder
from leads.delivery import lease
from leads.models import Submission
from tests.servers import RedisServer

LIST = "/api/admin/amocrm-locks"
PAGE = "/admin/locks_admin/lock/"


class Locks:
    """Puts locks into Redis as deliveries would."""

    def __init__(self, client: redis.Redis) -> None:
        self.redis = client

    def put(
        self,
        who: str = "test@onai.academy:77771112233",
        *,
        state: str = "live",
        ttl: int | None = 50,
    ) -> str:
        """Put the lock of ``who`` into ``state``; answers its name. ``ttl`` is in seconds."""
        name = f"amocrm:lead:{who}"
        value = "not written by us" if state == "unknown" else self._holder(state).encode()
        self.redis.set(f"lock:{name}", value, ex=ttl)
        return name

    def value(self, name: str) -> str | None:
        """Who holds it now, as stored."""
        value = self.redis.get(f"lock:{name}")
        return value.decode() if isinstance(value, bytes) else None

    def names(self) -> set[str]:
        """Which locks there are."""
        found = self.redis.scan_iter(match="lock:amocrm:lead:*")
        return {key.decode().removeprefix("lock:") for key in found}

    def wait(self, name: str, seconds: float = 20) -> None:
        """Let one more submission wait for the lock, since so long."""
        since = timezone.now() - timedelta(seconds=seconds)
        Submission.objects.create(
            form_id="proftest",
            name="Waits",
            waiting_for=name,
            waiting_since=since,
            next_attempt_at=timezone.now() + timedelta(hours=1),
        )

    def _holder(self, state: str) -> Holder:
        held = timedelta(seconds=200 if state == "overdue" else 12)
        submission = Submission.objects.create(form_id="proftest", name="Test User")
        holder = Holder(
            "web-1", 4711, str(submission.pk), timezone.now() - held, Holder.here("").nonce
        )
        if state in {"live", "overdue"}:
            worker = lease.token_prefix(holder.host, holder.pid)
            submission.lease_token = worker + "0123456789abcdef"
            submission.leased_until = timezone.now() + timedelta(seconds=90)
            submission.save(update_fields=["lease_token", "leased_until"])
        return holder


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No chart of an earlier test, no silence after its Redis."""
    history.breaker.close()
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def locks(redis_server: RedisServer, db: None) -> Locks:
    """The locks' database."""
    return Locks(redis_server.client(1))


def person(name: str, *permissions: str, staff: bool = True) -> User:
    """Somebody with these permissions (``app.codename``)."""
    user = User.objects.create_user(name, is_staff=staff)
    for permission in permissions:
        app, _, codename = permission.partition(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user


@pytest.fixture
def operators(db: None) -> Group:
    """The group as its migration makes it (a test with real transactions may have emptied it)."""
    schema_editor = SimpleNamespace(connection=connection)
    import_module("locks_admin.migrations.0002_operators").make_group(apps, schema_editor)
    for later in (
        "0003_operators_deal_with_duplicates",
        "0004_operators_decide_about_people",
        "0005_operators_mend_refused_forms",
        "0006_operators_make_forms",
    ):
        import_module(f"locks_admin.migrations.{later}").grant(apps, schema_editor)
    return Group.objects.get(name="Operators")


@pytest.fixture
def operator(operators: Group) -> User:
    """Olga, who is on duty."""
    olga = person("olga")
    olga.groups.add(operators)
    return olga


@pytest.fixture
def viewer(db: None) -> User:
    """Viktor, who may look at locks and at nothing else."""
    return person("viktor", "locks_admin.view_lock")


@pytest.fixture
def stranger(db: None) -> User:
    """Stepan, staff without permissions."""
    return person("stepan")
