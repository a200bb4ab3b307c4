"""The shape of the account: read once, kept, and read anew when something was wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import responses
from django.core.cache import cache
from pytest_django import Settings

from amocrm import conf
from amocrm.account.schema import AccountSchema, Stage, cached_schema, fetch_schema, require_schema
from amocrm.api import pause
from amocrm.api.client import Client
from amocrm.errors import AccountPaused, RetryLater
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.clients import API, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_is_cached() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def client(sandbox: RunningSandbox) -> Iterator[Client]:
    with client_of(conf.current().base_url) as made:
        yield made


def test_the_configured_pipeline_its_stages_in_order_fields_and_time_zone(client: Client) -> None:
    found = require_schema(client, conf.current())
    assert (found.pipeline_id, found.pipeline_name) == (3177727, "Продажи")
    assert [stage.sort for stage in found.stages] == sorted(stage.sort for stage in found.stages)
    assert [stage.id for stage in found.stages if not stage.is_ordinary] == [32392156, 142, 143]
    assert found.first_stage == 32392159
    assert "UTM_SOURCE" in found.lead_fields
    assert found.timezone == ZoneInfo("Asia/Almaty")


def test_without_a_configured_pipeline_it_is_the_main_one(
    client: Client, settings: Settings
) -> None:
    settings.AMOCRM_PIPELINE_ID = None
    assert require_schema(client, conf.current()).pipeline_id == 3177727


def test_the_shape_is_read_once(client: Client, sandbox: RunningSandbox) -> None:
    first = cached_schema(client, conf.current())
    asked = len(sandbox.control.requests())
    assert cached_schema(client, conf.current()) == first
    assert len(sandbox.control.requests()) == asked


def test_a_fresh_shape_is_read_and_kept(client: Client, sandbox: RunningSandbox) -> None:
    cached_schema(client, conf.current())
    sandbox.control.config(drop_field="FBCLID")
    assert "FBCLID" in cached_schema(client, conf.current()).lead_fields
    assert "FBCLID" not in cached_schema(client, conf.current(), fresh=True).lead_fields
    assert "FBCLID" not in cached_schema(client, conf.current()).lead_fields


def test_a_shape_from_before_a_resume_is_not_used_any_more(
    client: Client, sandbox: RunningSandbox
) -> None:
    cached_schema(client, conf.current())
    sandbox.control.config(drop_stage=32392159)
    pause.begin(conf.current().account, "stage", "rejected")
    pause.resume("olga")
    assert cached_schema(client, conf.current()).first_stage == 32392165


def test_two_pipelines_have_shapes_of_their_own(client: Client, settings: Settings) -> None:
    assert cached_schema(client, conf.current()).pipeline_id == 3177727
    settings.AMOCRM_PIPELINE_ID = 3177731
    with pytest.raises(AccountPaused):
        cached_schema(client, conf.current())


def test_a_pipeline_that_is_not_there_pauses_everybody(client: Client, settings: Settings) -> None:
    settings.AMOCRM_PIPELINE_ID = 999
    with pytest.raises(AccountPaused, match=r"pipeline 999 \(AMOCRM_PIPELINE_ID\)"):
        require_schema(client, conf.current())
    paused = pause.current()
    assert paused is not None
    assert paused.kind == "stage"


def test_looking_for_the_shape_pauses_nobody(client: Client, settings: Settings) -> None:
    settings.AMOCRM_PIPELINE_ID = 999
    assert fetch_schema(client, conf.current()) is None
    assert pause.current() is None


def test_an_unknown_time_zone_is_replaced_by_ours(sandbox: RunningSandbox, client: Client) -> None:
    sandbox.control.fault(
        "answer",
        path=".*/account",
        status=200,
        body={"id": 1, "_embedded": {"datetime_settings": {"timezone": "Mars/Olympus"}}},
    )
    assert require_schema(client, conf.current()).timezone == ZoneInfo("Asia/Almaty")


@pytest.mark.parametrize(
    "pipelines",
    [
        [{"id": 3177727, "_embedded": {"statuses": [{"id": 1}]}}],
        [{"id": 3177727, "_embedded": {"statuses": [{"id": "x", "sort": 1}]}}],
        [{"id": 3177727, "_embedded": {"statuses": "x"}}],
        [{}],
        ["x"],
    ],
    ids=repr,
)
def test_a_shape_that_cannot_be_read_is_tried_again_later(pipelines: Any) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as amocrm:
        amocrm.get(f"{API}/leads/pipelines", json={"_embedded": {"pipelines": pipelines}})
        with client_of() as client, pytest.raises(RetryLater, match="cannot be read"):
            require_schema(client, conf.current())
    assert pause.current() is None


def test_an_archived_pipeline_takes_no_leads() -> None:
    stages = {"statuses": [{"id": 1, "name": "First", "sort": 1}]}
    rows = [{"id": 3177727, "is_archive": True, "_embedded": stages}]
    with responses.RequestsMock() as amocrm:
        amocrm.get(f"{API}/leads/pipelines", json={"_embedded": {"pipelines": rows}})
        with client_of() as client:
            assert fetch_schema(client, conf.current()) is None


STAGES = (
    Stage(1, "Unsorted", 10, is_ordinary=False),
    Stage(5, "First", 20, is_ordinary=True),
    Stage(3, "Second", 30, is_ordinary=True),
    Stage(143, "Lost", 11000, is_ordinary=False),
)


@pytest.mark.parametrize(
    ("current", "target", "forward"),
    [
        (5, 3, True),
        (3, 5, False),
        (5, 5, False),
        (1, 5, True),
        (5, 1, False),
        (5, 143, False),
        (99, 3, False),
        (5, 99, False),
    ],
)
def test_forward_is_by_the_order_of_stages_not_by_their_ids(
    current: int, target: int, forward: bool
) -> None:
    one = AccountSchema(1, "Sales", STAGES, {}, ZoneInfo("UTC"))
    assert one.is_forward(current, target) is forward


def test_stages_are_listed_for_people() -> None:
    one = AccountSchema(1, "Sales", STAGES, {}, ZoneInfo("UTC"))
    assert one.listed_stages == "5 First, 3 Second"
