"""What the tests of the mirror share: an account with a mirror, and nothing remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from amocrm import conf, mirror
from amocrm.api import whole_list
from amocrm.api.client import Client, connect
from amocrm.identity import IdentityKey, identities
from amocrm.mirror import expected
from amocrm.models import MirrorState
from amocrm.sandbox.server import RunningSandbox

ANNA, PHONE = "anna@x.kz", "+77771112233"
LONG_AGO = 1_700_000_000  # for amoCRM: nothing is remembered of that time


def keys(*values: str) -> frozenset[IdentityKey]:
    """These e-mails and phones."""
    return identities(emails=values, phones=values, region="KZ")


def known(*values: str) -> set[int]:
    """Which contacts the mirror knows by any of them."""
    return set(mirror.contacts_with(conf.current().account, keys(*values)))


def plant(sandbox: RunningSandbox, *contacts: dict[str, Any]) -> list[int]:
    """Contacts in the account, as they have been for long unless they say otherwise; their ids."""
    old = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
    return sandbox.control.seed(contacts=[{**old, **one} for one in contacts])["contacts"]


def row() -> MirrorState:
    """The account's one row."""
    return MirrorState.objects.get()


def asked(sandbox: RunningSandbox) -> list[str]:
    """What was asked of amoCRM so far."""
    return [one["path"].removeprefix("/api/v4/") for one in sandbox.control.requests()]


@pytest.fixture(autouse=True)
def _quick_and_new(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[None]:
    monkeypatch.setattr(whole_list, "RETRY_SECONDS", 0)
    settings.BURST = "auto"
    expected.forget(conf.current().account, expected.of(conf.current().account))
    yield
    expected.forget(conf.current().account, expected.of(conf.current().account))


@pytest.fixture
def crm(sandbox: RunningSandbox) -> Iterator[Client]:
    """A client of the sandbox."""
    with connect(conf.current()) as client:
        yield client


@pytest.fixture
def walked(crm: Client) -> Callable[[], bool]:
    """Walks all contacts."""
    return lambda: mirror.walk(crm, conf.current())


@pytest.fixture
def caught_up(crm: Client) -> Callable[[], bool]:
    """Reads what has changed."""
    return lambda: mirror.catch_up(crm, conf.current())
