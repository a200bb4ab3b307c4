"""Requests that are wrong from the start."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.amocrm.sandbox.conftest import Crm, errors_of


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic dXNlcjpwYXNz"])
def test_without_a_bearer_token_everything_is_401(crm: Crm, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = requests.get(f"{crm.url}/api/v4/account", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json() == {
        "title": "Unauthorized",
        "status": 401,
        "detail": "Неверный логин или пароль",
    }


def test_any_token_will_do_until_it_is_revoked(crm: Crm) -> None:
    assert crm.get("account").status_code == 200
    crm.control.config(revoked_tokens=["another"])
    assert crm.get("account").status_code == 200
    crm.control.config(revoked_tokens=["sandbox-token"])
    assert crm.get("account").status_code == 401
    crm.control.config(revoked_tokens=["*"])
    assert crm.get("account").status_code == 401
    crm.control.config(revoked_tokens=[])
    assert crm.get("account").status_code == 200


def test_a_refused_token_writes_nothing(crm: Crm) -> None:
    crm.control.config(revoked_tokens=["*"])
    assert crm.post("leads", [{"name": "x"}]).status_code == 401
    assert crm.control.state()["leads"] == []


@pytest.mark.parametrize("path", ["contacts", "leads"])
def test_a_batch_over_250_is_422(crm: Crm, path: str) -> None:
    assert crm.post(path, [{"name": "x"}] * 250).status_code == 200
    answer = crm.post(path, [{"name": "x"}] * 251)
    assert (answer.status_code, answer.json()["detail"]) == (422, "Limit 250 per page")
    assert len(crm.control.state()[path]) == 250


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[]", b"[1]", b'"x"', b"\xff"])
@pytest.mark.parametrize("path", ["contacts", "leads", "leads/complex", "leads/notes"])
def test_a_body_that_is_no_list_of_objects_is_400(crm: Crm, path: str, body: bytes) -> None:
    answer = crm.call("POST", path, data=body)
    assert answer.status_code == 400
    assert "validation-errors" not in answer.json()


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ({"name": 5}, ("InvalidType", "name")),
        ({"created_at": "yesterday"}, ("InvalidType", "created_at")),
        ({"custom_fields_values": {}}, ("InvalidType", "custom_fields_values")),
        ({"custom_fields_values": [5]}, ("InvalidType", "custom_fields_values.0")),
        (
            {"custom_fields_values": [{"field_code": "EMAIL", "values": 5}]},
            ("InvalidType", "custom_fields_values.0.values"),
        ),
        (
            {"custom_fields_values": [{"field_code": "EMAIL", "values": [{"value": None}]}]},
            ("NotBlank", "custom_fields_values.0.values.0.value"),
        ),
        (
            {
                "custom_fields_values": [
                    {"field_code": "EMAIL", "values": [{"value": "x", "enum_code": "MOB"}]}
                ]
            },
            ("NotSupportedChoice", "custom_fields_values.0.values.0.enum_code"),
        ),
        (
            {
                "custom_fields_values": [
                    {"field_code": "EMAIL", "values": [{"value": "x", "enum_id": 1}]}
                ]
            },
            ("NotSupportedChoice", "custom_fields_values.0.values.0.enum_id"),
        ),
        ({"tags_to_add": [{"id": 1}]}, ("NotSupportedChoice", "tags_to_add.0.id")),
        ({"tags_to_add": [{}]}, ("NotBlank", "tags_to_add.0.name")),
        ({"_embedded": {"tags": 5}}, ("InvalidType", "_embedded.tags")),
    ],
)
def test_a_wrong_value_is_named_by_code_and_path(
    crm: Crm, item: dict[str, Any], error: tuple[str, str]
) -> None:
    assert errors_of(crm.post("contacts", [item])) == [error]
    assert crm.control.state()["contacts"] == []


@pytest.mark.parametrize(
    "item",
    [
        {"_embedded": []},
        {"_embedded": {"contacts": None, "tags": None}},
        {"custom_fields_values": None},
        {"custom_fields_values": []},
    ],
)
@pytest.mark.parametrize("path", ["leads", "leads/complex"])
def test_empty_parts_are_no_parts(crm: Crm, path: str, item: dict[str, Any]) -> None:
    assert crm.post(path, [item]).status_code == 200


@pytest.mark.parametrize("contacts", [5, [5], {"id": 1}])
def test_contacts_that_are_no_list_of_objects_are_refused(crm: Crm, contacts: Any) -> None:
    for path in ("leads", "leads/complex"):
        assert crm.post(path, [{"_embedded": {"contacts": contacts}}]).status_code == 400
    assert crm.control.state()["leads"] == []


def test_an_unknown_method_of_a_known_path_is_405_and_an_unknown_path_404(crm: Crm) -> None:
    assert crm.call("DELETE", "leads/1").status_code == 405
    assert crm.call("POST", "leads/1", json=[{}]).status_code == 405
    assert crm.get("nonsense").status_code == 404


def test_every_answer_has_its_own_request_id(crm: Crm) -> None:
    ids = [
        crm.get("account").headers["X-Request-Id"],
        crm.get("contacts").headers["X-Request-Id"],
        crm.get("nonsense").headers["X-Request-Id"],
        crm.post("leads", {}).headers["X-Request-Id"],
    ]
    assert len(set(ids)) == 4
    assert [one["request_id"] for one in crm.control.requests()] == ids


def test_content_types_are_amocrms(crm: Crm) -> None:
    assert crm.get("account").headers["Content-Type"].startswith("application/hal+json")
    assert crm.get("nonsense").headers["Content-Type"].startswith("application/problem+json")
