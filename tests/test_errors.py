"""Every error of the JSON API has one shape, in the caller's language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import OperationalError
from pytest_django import Settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from leads.api.throttles import LandingThrottle
from tests.leads.forms import PROFTEST, SUBMIT_URL
from tests.locks_admin.conftest import LIST, Locks, locks, operator, operators, stranger
from tests.servers import RedisServer

__all__ = ["locks", "operator", "operators", "stranger"]

pytestmark = [pytest.mark.django_db, pytest.mark.needs_redis]

CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
MISSING = f"{LIST}/amocrm:lead:nobody@b.kz:7"
ENCODED = "application/x-www-form-urlencoded"
MANY_FIELDS = "&".join(f"a{number}=1" for number in range(1001))
MANY_PARTS = "".join(
    f'--x\r\nContent-Disposition: form-data; name="a{number}"\r\n\r\n1\r\n'
    for number in range(1001)
)


@dataclass
class World:
    """Who may call, and what can be broken."""

    operator: User
    stranger: User
    locks: Locks
    redis: RedisServer
    settings: Settings
    patch: pytest.MonkeyPatch
    language: str | None = None

    def client(self, user: User | None = None, *, session: bool = False) -> APIClient:
        """As a page, or as somebody with a token or a session."""
        api = APIClient(enforce_csrf_checks=True)
        api.raise_request_exception = False
        headers = {"HTTP_ACCEPT_LANGUAGE": self.language} if self.language else {}
        if session:
            assert user
            api.force_login(user)
        elif user:
            token, _new = Token.objects.get_or_create(user=user)
            headers["HTTP_AUTHORIZATION"] = f"Token {token.key}"
        api.credentials(**headers)
        return api

    def post(self, body: Any, kind: str = "application/json", **more: Any) -> Any:
        """A form."""
        return self.client().post(SUBMIT_URL, body, content_type=kind, **more)


def _reused(world: World) -> Any:
    for name in ("one", "other"):
        body = json.dumps(PROFTEST | {"name": name})
        answer = world.post(body, HTTP_IDEMPOTENCY_KEY=f"k{world.language}")
    return answer


def _too_often(world: World) -> Any:
    world.settings.LANDING_THROTTLE = "1/min"
    LandingThrottle.cache.clear()
    world.post(json.dumps(PROFTEST))
    return world.post(json.dumps(PROFTEST))


def _broken(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def _failing(error: Exception) -> Callable[[World], Any]:
    def call(world: World) -> Any:
        world.patch.setattr("leads.api.views.accept_submission", _broken(error))
        return world.post(json.dumps(PROFTEST))

    return call


def _interrupted(world: World) -> Any:
    """Django itself refuses, where no view can answer."""
    error = SessionInterrupted("ended meanwhile")
    world.patch.setattr(SessionMiddleware, "process_response", _broken(error))
    return world.client().get(f"{LIST}/status")


def _other_holder(world: World) -> Any:
    name = world.locks.put()
    return world.client(world.operator).delete(f"{LIST}/{name}?holder_id=another")


def _without_redis(method: str) -> Callable[[World], Any]:
    def call(world: World) -> Any:
        world.redis.stop()
        return getattr(world.client(world.operator), method)(LIST)

    return call


def _of_session(body: str, kind: str) -> Callable[[World], Any]:
    """REST framework looks for the CSRF token in the body."""

    def call(world: World) -> Any:
        api = world.client(world.operator, session=True)
        api.cookies[world.settings.CSRF_COOKIE_NAME] = "a" * 32
        return api.post(LIST, body, content_type=kind)

    return call


def _posted_to(path: str) -> Callable[[World], Any]:
    return lambda world: world.client().post(path)


def _cleared_with(query: str) -> Callable[[World], Any]:
    return lambda world: world.client(world.operator).delete(f"{LIST}?{query}")


ERRORS: dict[str, tuple[int, Callable[[World], Any]]] = {
    "nobody named": (400, lambda world: world.post("{}")),
    "no JSON": (400, lambda world: world.post("{")),
    "no object": (400, lambda world: world.post("[1]")),
    "too deep": (400, lambda world: world.post('{"a":' + "[" * 600 + "]" * 600 + "}")),
    "no length": (400, lambda world: world.post("{}", CONTENT_LENGTH="many")),
    "a wrong key": (400, lambda world: world.post("{}", HTTP_IDEMPOTENCY_KEY=" ")),
    "too many fields": (400, lambda world: world.post(MANY_FIELDS, ENCODED)),
    "too many parts": (
        400,
        lambda world: world.post(MANY_PARTS + "--x--\r\n", "multipart/form-data; boundary=x"),
    ),
    "no boundary": (400, lambda world: world.post("x", "multipart/form-data")),
    "no such submission": (
        404,
        lambda world: world.client().get(
            "/api/landing/submissions/00000000-0000-4000-8000-000000000000"
        ),
    ),
    "a wrong token of staff": (
        401,
        lambda world: world.client().get(
            "/api/landing/submissions/00000000-0000-4000-8000-000000000000",
            HTTP_AUTHORIZATION="Token wrong",
        ),
    ),
    "another method": (405, lambda world: world.client().put(SUBMIT_URL)),
    "in chunks": (411, lambda world: world.post("{}", HTTP_TRANSFER_ENCODING="chunked")),
    "too big": (413, lambda world: world.post("x" * 70_000)),
    "another type": (415, lambda world: world.post("<a/>", "application/xml")),
    "a key with another body": (422, _reused),
    "too often": (429, _too_often),
    "no database": (503, _failing(OperationalError("gone"))),
    "a mistake of ours": (500, _failing(ZeroDivisionError("ours"))),
    **{
        f"no address {path}": (404, _posted_to(path))
        for path in ("/api", "/api/", "/api/landing/x", "/api/x", "/api/docs/", "/api/schema.json")
    },
    "the schema in no such type": (
        406,
        lambda world: world.client().get("/api/schema", HTTP_ACCEPT="image/png"),
    ),
    "the schema in no such format": (404, lambda world: world.client().get("/api/schema?format=x")),
    "posted to the schema": (405, lambda world: world.client().post("/api/schema")),
    "posted to the docs": (405, lambda world: world.client().post("/api/docs")),
    "a foreign host": (400, lambda world: world.client().get(LIST, HTTP_HOST="evil.example")),
    "refused by Django": (400, _interrupted),
    "no login": (401, lambda world: world.client().get(LIST)),
    "a wrong token": (401, lambda world: world.client().get(LIST, HTTP_AUTHORIZATION="Token a")),
    "half a token": (401, lambda world: world.client().get(LIST, HTTP_AUTHORIZATION="Token")),
    "a wrong token of monitoring": (
        401,
        lambda world: world.client().get(f"{LIST}/status", HTTP_AUTHORIZATION="Bearer wrong"),
    ),
    "no permission": (403, lambda world: world.client(world.stranger).get(LIST)),
    "no CSRF token": (
        403,
        lambda world: world.client(world.operator, session=True).delete(LIST),
    ),
    "a page with a session": (415, _of_session(MANY_FIELDS, ENCODED)),
    **{
        f"filter {query}": (400, _cleared_with(query))
        for query in ("state=x", "stale=x", "older_than=x", "dry_run=x", "x=1")
    },
    "a limit of many digits": (
        400,
        lambda world: world.client(world.operator).get(f"{LIST}/history?limit={'9' * 5000}"),
    ),
    "filters in a body": (
        400,
        lambda world: world.client(world.operator).delete(LIST, {"q": "x"}, format="json"),
    ),
    "a body that is nested too deeply": (
        400,
        lambda world: world.client(world.operator).delete(
            LIST, "[" * 9999, content_type="application/json"
        ),
    ),
    "a body of another type": (
        415,
        lambda world: world.client(world.operator).delete(
            LIST, "<a/>", content_type="application/xml"
        ),
    ),
    "no such lock": (404, lambda world: world.client(world.operator).delete(MISSING)),
    "another holder": (409, _other_holder),
    "another method for locks": (405, lambda world: world.client(world.operator).put(LIST)),
    "options of locks": (405, lambda world: world.client(world.operator).options(LIST)),
    "no Redis to list": (503, _without_redis("get")),
    "no Redis to clear": (503, _without_redis("delete")),
}


@pytest.fixture
def world(
    operator: User,
    stranger: User,
    locks: Locks,
    redis_server: RedisServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """Everybody and everything."""
    LandingThrottle.cache.clear()
    return World(operator, stranger, locks, redis_server, settings, monkeypatch)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_the_shape_of_all_in_the_callers_language(world: World, name: str) -> None:
    status, call = ERRORS[name]
    said = {}
    for language in (None, "en-US,en;q=0.9", "ru"):
        world.language = language
        answer = call(world)
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
        body = answer.json()
        assert body["success"] is False
        for field, texts in body.get("fields", {}).items():
            assert isinstance(field, str)
            assert texts
            assert all(isinstance(text, str) and text for text in texts)
        said[language] = body["error"]
        assert ("fields" in body) <= (body["error"] in sum(body.get("fields", {}).values(), []))
        assert "Accept-Language" in answer["Vary"]
        assert answer["Content-Language"] == (language or "ru")[:2]
    assert CYRILLIC.search(said[None])
    assert said[None] == said["ru"]
    assert said["en-US,en;q=0.9"]
    assert not CYRILLIC.search(said["en-US,en;q=0.9"])


def test_a_mistake_of_ours_tells_nothing_of_itself(world: World) -> None:
    answer = _failing(ZeroDivisionError("a secret of ours"))(world)
    assert "secret" not in answer.content.decode()
    assert "Zero" not in answer.content.decode()


@pytest.mark.parametrize("query", ["state=x", "stale=x", "older_than=x", "dry_run=x", "x=1"])
def test_a_wrong_filter_is_named(world: World, query: str) -> None:
    answer = world.client(world.operator).delete(f"{LIST}?{query}")
    assert list(answer.json()["fields"]) == [query.partition("=")[0]]


def test_what_is_no_address_of_the_api_is_a_page(world: World) -> None:
    answer = world.client().get("/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")
