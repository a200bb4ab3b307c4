"""The service answers as its document says, also to hostile calls (schemathesis)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from rest_framework.authtoken.models import Token

from config.openapi.views import schema
from config.wsgi import application
from leads.api.throttles import LandingThrottle
from tests.locks_admin.conftest import Locks, locks, operator, operators

__all__ = ["locks", "operator", "operators"]

pytestmark = [pytest.mark.django_db, pytest.mark.needs_redis]

CALLS = 10  # of each kind to each address


@pytest.fixture(autouse=True)
def _connection_of_the_test_stays() -> Iterator[None]:
    """A request closes connections that it finds inside of a transaction, as a test's is."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_is_as_described(locks: Locks, operator: User, mode: str) -> None:
    # Slow to import, and for nobody else.
    import schemathesis
    from schemathesis import checks
    from schemathesis.specs.openapi import checks as conformance

    LandingThrottle.cache.clear()
    described = schemathesis.openapi.from_dict(schema())
    described.app = application
    token, _new = Token.objects.get_or_create(user=operator)

    def check(case: Any) -> None:
        case.call_and_validate(
            headers={"Authorization": f"Token {token.key}"},
            checks=[
                checks.not_a_server_error,
                conformance.status_code_conformance,
                conformance.content_type_conformance,
                conformance.response_headers_conformance,
                conformance.response_schema_conformance,
            ],
        )

    bounded = hypothesis_settings(
        max_examples=CALLS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            if mode == "negative" and not operation.keys() & {"parameters", "requestBody"}:
                continue  # there is nothing that could be wrong
            for state in ("live", "orphan", "unknown"):
                locks.put(f"{state}@b.kz:7", state=state)
            calls = described[path][method].as_strategy(schemathesis.GenerationMode(mode))
            bounded(given(case=calls)(check))()
