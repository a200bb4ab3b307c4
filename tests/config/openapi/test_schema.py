"""The OpenAPI document: valid, whole, and true in its examples."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import translation

from config.openapi import description, views
from leads.models import Submission

PROJECT = Path(__file__).resolve().parents[3]


def addresses(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, str]]:
    """The name and the regular expression of every address."""
    for one in resolver.url_patterns:
        whole = prefix + one.pattern.regex.pattern.removeprefix("^")
        if isinstance(one, URLResolver):
            yield from addresses(one, whole)
        elif isinstance(one, URLPattern):
            yield str(one.name), whole


def examples() -> Iterator[tuple[str, str, Any]]:
    """Every example of a body: the address, the type and the value."""
    for path, methods in views.schema()["paths"].items():
        for operation in methods.values():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                for example in content["examples"].values():
                    yield path, kind, example["value"]


def test_nothing_in_the_document_is_guessed_or_invalid(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--fail-on-warn", "--validate")
    printed = capsys.readouterr()
    assert printed.out.startswith("openapi: 3.1.0\n")
    assert "Warning" not in printed.err


def test_the_document_has_every_address_of_the_api_and_no_other() -> None:
    served = {name for name, regex in addresses(get_resolver()) if regex.startswith("/api")} - {
        "not-found"
    }
    described = views.schema()["paths"]
    assert len(described) == len(served)
    for path in described:
        assert path.startswith("/api/")
        match = get_resolver().resolve(
            path.format(submission_id="0f8b8bd0-0000-4000-8000-000000000000", slug="a", key="k")
        )
        assert match.url_name in served
        served.discard(match.url_name)
    assert not served


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == description.VERSION


def test_the_document_is_in_english_whoever_asks_first() -> None:
    views._made.cache_clear()
    with translation.override("ru"):
        document = views.schema()
    assert document["info"]["title"] == "Lead gateway"
    for path, methods in document["paths"].items():
        for operation in methods.values():
            described = {**operation, "requestBody": None}  # the examples are people's
            assert "а" not in json.dumps(described, ensure_ascii=False), path


def test_the_document_is_made_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client.get("/api/schema").json()

    def made_again(*_: Any, **__: Any) -> Any:
        raise AssertionError("made again")

    monkeypatch.setattr(views, "SchemaGenerator", made_again)
    assert client.get("/api/schema").json() == first


def test_one_thread_alone_makes_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    class Generator:
        def get_schema(self, **_: Any) -> dict[str, Any]:
            return {"is_alone": views._making.locked()}

    monkeypatch.setattr(views, "SchemaGenerator", Generator)
    views._made.cache_clear()
    assert views.schema() == {"is_alone": True}
    views._made.cache_clear()


def test_the_document_comes_as_json_or_yaml(client: Client) -> None:
    as_json = client.get("/api/schema")
    assert as_json["Content-Type"] == "application/json"
    assert as_json.json()["openapi"] == "3.1.0"
    for query, accept in (("", "application/yaml"), ("?format=yaml", "*/*")):
        as_yaml = client.get(f"/api/schema{query}", headers={"Accept": accept})
        assert as_yaml["Content-Type"] == "application/yaml; charset=utf-8"
        assert yaml.safe_load(as_yaml.content) == as_json.json()


def test_every_form_has_an_example_in_every_encoding() -> None:
    kinds = {kind for _path, kind, _value in examples()}
    assert kinds == {
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    }
    assert {path for path, *_ in examples()} == {
        "/api/landing/proftest",
        "/api/landing/submit",
        "/api/landing/f/{slug}",
    }


@pytest.mark.django_db
def test_every_example_is_accepted_without_a_remark(client: Client) -> None:
    for template, kind, value in examples():
        path = template.format(slug="proftest")
        match kind:
            case "application/json":
                answer = client.post(path, json.dumps(value), content_type=kind)
            case "multipart/form-data":
                answer = client.post(path, {name: as_text(one) for name, one in value.items()})
            case "text/plain":
                answer = client.post(path, value, content_type=kind)
            case _:
                pairs = urlencode(dict(as_deep_objects(value)))
                answer = client.post(path, pairs, content_type=kind)
        assert answer.status_code == 202, (path, kind)
        kept = Submission.objects.get(pk=answer.json()["leadId"])
        assert (kept.remarks, kept.name) == ([], "Айдана Ахметова"), (path, kind)
        assert kept.utm, (path, kind)


def as_text(value: Any) -> str:
    """A part of multipart: JSON, where it is no text."""
    return value if isinstance(value, str) else json.dumps(value)


def as_deep_objects(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """``style: deepObject`` for objects, JSON for lists."""
    for name, one in value.items():
        if isinstance(one, dict):
            for inner, text in one.items():
                yield f"{name}[{inner}]", text
        else:
            yield name, as_text(one)


@pytest.mark.django_db
def test_the_page_shows_the_document_and_needs_nobody_else(client: Client) -> None:
    page = client.get("/api/docs")
    text = page.content.decode()
    assert page.status_code == 200
    assert 'data-schema="/api/schema"' in text
    assert "http" not in text
    policy = page["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "img-src 'self' data:" in policy
    for part in ("swagger_ui/swagger-ui.css", "swagger_ui/swagger-ui-bundle.js"):
        assert part in text
        served = client.get(f"/static/{part}")
        assert served.status_code == 200
        served.close()  # it holds the file open


def test_a_browser_may_ask_for_the_page_alone(client: Client) -> None:
    page = client.get("/api/docs", HTTP_ACCEPT="text/html")
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
