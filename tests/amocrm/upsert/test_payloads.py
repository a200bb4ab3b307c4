"""What is written into leads and contacts, and what is left as it was."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from amocrm.account.schema import AccountSchema, Stage
from amocrm.api.schemas import Contact, Lead
from amocrm.errors import Problem, Rejected
from amocrm.identity import IdentityKey
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert import payloads
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import EMAIL, PHONE, Remembered, request_of

FIELDS = {code: number for number, code in enumerate(("UTM_SOURCE", "UTM_MEDIUM", "GCLID"))}
SHAPE = AccountSchema(
    pipeline_id=1,
    pipeline_name="Sales",
    stages=(
        Stage(10, "New", 1, is_ordinary=True),
        Stage(20, "Test", 2, is_ordinary=True),
        Stage(30, "Paid", 3, is_ordinary=True),
        Stage(143, "Lost", 11000, is_ordinary=False),
    ),
    lead_fields=FIELDS,
    timezone=ZoneInfo("UTC"),
)
THEM = frozenset((IdentityKey("email", EMAIL), IdentityKey("phone", PHONE)))


def lead(**changes: Any) -> Lead:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    values: dict[str, Any] = {
        "id": 1,
        "pipeline_id": 1,
        "status_id": 20,
        "is_deleted": False,
        "created_at": moment,
        "updated_at": moment,
        "tags": frozenset(),
        "contact_ids": (1,),
        "filled": frozenset(),
    }
    return Lead(**{**values, **changes})


def contact(*fields: dict[str, Any]) -> Contact:
    return Contact.parse(
        {
            "id": 5,
            "name": "A",
            "created_at": 1,
            "updated_at": 1,
            "custom_fields_values": list(fields),
        }
    )


def test_a_new_lead_has_its_stage_tags_fields_and_a_new_contact() -> None:
    request = request_of(stage=20, tags=("one", "two"), utm={"utm_source": "x", "gclid": "y"})
    body = payloads.new_lead(request, SHAPE, contact=None, named=THEM)
    assert (body["pipeline_id"], body["status_id"]) == (1, 20)
    assert body["tags_to_add"] == [{"name": "one"}, {"name": "two"}]
    assert body["request_id"] == request.reference
    assert body["custom_fields_values"] == [
        {"field_code": "GCLID", "values": [{"value": "y"}]},
        {"field_code": "UTM_SOURCE", "values": [{"value": "x"}]},
    ]
    (made,) = body["_embedded"]["contacts"]
    assert made["custom_fields_values"] == [
        {"field_code": "EMAIL", "values": [{"value": EMAIL, "enum_code": "WORK"}]},
        {"field_code": "PHONE", "values": [{"value": PHONE, "enum_code": "WORK"}]},
    ]
    assert "metadata" not in body["_embedded"]


def test_a_new_lead_on_a_contact_that_is_there_names_it_only() -> None:
    body = payloads.new_lead(request_of(), SHAPE, contact=contact(), named=THEM)
    assert body["_embedded"]["contacts"] == [{"id": 5}]


def test_without_a_stage_a_new_lead_goes_to_the_first_ordinary_one() -> None:
    body = payloads.new_lead(request_of(stage=None), SHAPE, contact=None, named=THEM)
    assert body["status_id"] == 10


def test_a_field_that_the_account_lacks_is_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    request = request_of(utm={"utm_source": "x", "fbclid": "y"})
    with caplog.at_level(logging.WARNING):
        body = payloads.new_lead(request, SHAPE, contact=None, named=THEM)
    assert [field["field_code"] for field in body["custom_fields_values"]] == ["UTM_SOURCE"]
    assert "FBCLID" in caplog.text


def test_empty_values_and_tags_are_not_sent() -> None:
    request = request_of(utm={"utm_source": ""}, tags=("", "a", "a"))
    body = payloads.new_lead(request, SHAPE, contact=None, named=THEM)
    assert "custom_fields_values" not in body
    assert body["tags_to_add"] == [{"name": "a"}]


def test_names_have_an_end() -> None:
    body = payloads.new_lead(request_of(lead_name="я" * 900), SHAPE, contact=None, named=THEM)
    assert len(body["name"]) == payloads.LONGEST_NAME


def test_tags_are_added_and_those_that_are_there_not_repeated() -> None:
    there = lead(tags=frozenset(("Профтест", "manager's")))
    changes = payloads.lead_changes(request_of(tags=("профтест", "summer")), there, SHAPE)
    assert changes["tags_to_add"] == [{"name": "summer"}]
    assert "_embedded" not in changes


def test_the_first_utm_wins() -> None:
    there = lead(filled=frozenset(("UTM_SOURCE",)))
    request = request_of(utm={"utm_source": "new", "utm_medium": "new"})
    changes = payloads.lead_changes(request, there, SHAPE)
    assert changes["custom_fields_values"] == [
        {"field_code": "UTM_MEDIUM", "values": [{"value": "new"}]}
    ]


@pytest.mark.parametrize("values", [None, [], [{"value": ""}], [{"value": None}], [{}]], ids=repr)
def test_a_field_without_a_value_is_empty(values: Any) -> None:
    body = {"id": 1, "pipeline_id": 1, "status_id": 1, "created_at": 1, "updated_at": 1}
    fields = [{"field_code": "UTM_SOURCE", "values": values}]
    assert Lead.parse({**body, "custom_fields_values": fields}).filled == frozenset()


@pytest.mark.parametrize(
    ("current", "wanted", "moved"),
    [(10, 20, 20), (20, 30, 30), (30, 20, None), (20, 20, None), (20, 143, None), (20, 99, None)],
)
def test_the_stage_moves_forward_only(current: int, wanted: int, moved: int | None) -> None:
    changes = payloads.lead_changes(request_of(stage=wanted), lead(status_id=current), SHAPE)
    assert changes.get("status_id") == moved
    assert ("pipeline_id" in changes) is (moved is not None)


def test_the_name_is_never_overwritten() -> None:
    changes = payloads.lead_changes(request_of(lead_name="Another"), lead(), SHAPE)
    assert "name" not in changes


def test_what_changes_nothing_is_empty() -> None:
    request = request_of(stage=20, tags=("a",), utm={"utm_source": "x"})
    there = lead(tags=frozenset("a"), filled=frozenset(("UTM_SOURCE",)))
    assert payloads.lead_changes(request, there, SHAPE) == {}


def test_an_added_phone_is_sent_with_those_that_are_there() -> None:
    there = contact(
        {
            "field_code": "PHONE",
            "values": [
                {"value": "8 777 000", "enum_id": 126290, "enum_code": "MOB"},
                {"value": "111", "enum": "HOME"},
                {"value": "222", "enum_code": "OTHER"},
                {"value": "333"},
                {"value": ""},
                {"value": None},
            ],
        },
        {"field_code": "EMAIL", "values": [{"value": "kept@as.is", "enum_id": 1}]},
    )
    body = payloads.contact_additions(there, frozenset((IdentityKey("phone", PHONE),)))
    assert body == {
        "custom_fields_values": [
            {
                "field_code": "PHONE",
                "values": [
                    {"value": "8 777 000", "enum_id": 126290},
                    {"value": "111", "enum_code": "HOME"},
                    {"value": "222", "enum_code": "OTHER"},
                    {"value": "333"},
                    {"value": PHONE, "enum_code": "WORK"},
                ],
            }
        ]
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("old_enum_key", [False, True])
def test_the_account_keeps_what_it_had(sandbox: RunningSandbox, old_enum_key: bool) -> None:
    """The same through the sandbox, whose PATCH replaces all values as amoCRM's does."""
    sandbox.control.config(old_enum_key=old_enum_key)
    seeded = sandbox.control.seed(
        contacts=[{"name": "Anna", "emails": [EMAIL], "phones": ["8 (701) 000-00-01"]}]
    )
    (contact_id,) = seeded["contacts"]
    upsert_lead(request_of(), Remembered())
    upsert_lead(request_of(), Remembered())
    (after,) = sandbox.control.state()["contacts"]
    assert after["id"] == contact_id
    assert after["name"] == "Anna"
    assert after["emails"] == [EMAIL]
    assert after["phones"] == ["8 (701) 000-00-01", PHONE]


@pytest.mark.django_db(transaction=True)
def test_a_second_submission_changes_only_what_it_may(sandbox: RunningSandbox) -> None:
    first = upsert_lead(
        request_of(stage=32392171, tags=("one",), utm={"utm_source": "first"}), Remembered()
    )
    upsert_lead(
        request_of(
            stage=32392165,
            tags=("two",),
            utm={"utm_source": "second", "utm_term": "second"},
            lead_name="Another name",
        ),
        Remembered(),
    )
    (found,) = sandbox.control.state()["leads"]
    assert found["id"] == first.lead_id
    assert found["name"] == "Профтест: Test User"
    assert found["status_id"] == 32392171
    assert found["tags"] == ["one", "two"]
    assert found["fields"] == {"UTM_SOURCE": "first", "UTM_TERM": "second"}


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("custom_fields_values.0.field_id", {"FBCLID"}),
        ("0.custom_fields_values.1.values.0.value", {"UTM_TERM"}),
        ("tags_to_add.0.name", {"tags_to_add"}),
        ("custom_fields_values.7.field_id", None),
        ("_embedded.contacts.0.custom_fields_values.0.values", None),
        ("name", None),
    ],
)
def test_only_what_a_lead_can_do_without_is_left_out(path: str, left_out: set[str] | None) -> None:
    sent = {"custom_fields_values": [{"field_code": "FBCLID"}, {"field_code": "UTM_TERM"}]}
    error = Rejected("no", problems=(Problem(path, "NotSupportedChoice", "no"),))

    assert payloads.dispensable(error, sent) == left_out
