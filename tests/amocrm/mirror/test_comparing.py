"""The mirror is held to what the ordinary search finds: many comparisons, and no lie."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, mirror
from amocrm.api.client import Client
from amocrm.api.schemas import Contact
from amocrm.counters import totals
from amocrm.errors import LockLost
from amocrm.mirror import Readiness, comparing, entries
from amocrm.models import MirrorEntry, MirrorState
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.mirror.conftest import ANNA, PHONE, asked, keys, plant, row

pytestmark = pytest.mark.django_db(transaction=True)

Do = Callable[[], bool]


def readiness() -> Readiness:
    return mirror.readiness(conf.current())


def compare(crm: Client, *searched: str) -> None:
    """Search for these as a delivery does, and compare what is found."""
    found = [one for key in keys(*searched) for one in crm.search_contacts(key.value, 1).rows]
    mirror.compare(crm, conf.current(), keys(*searched), found)


def lose(*digests_of: str) -> None:
    """Let the mirror not know a contact by these."""
    from amocrm.mirror.digests import Digests

    digests = [Digests(conf.current()).of(key) for key in keys(*digests_of)]
    assert MirrorEntry.objects.filter(digest__in=digests).delete()[0] == len(digests_of)


@pytest.fixture
def grown_old(sandbox: RunningSandbox, walked: Do) -> list[int]:
    """Anna with both, and somebody else: contacts that the mirror knows for long."""
    ids = plant(sandbox, {"emails": [ANNA], "phones": [PHONE]}, {"emails": ["b@x.kz"]})
    walked()
    return ids


@pytest.mark.both_databases
def test_comparisons_earn_trust(crm: Client, grown_old: list[int]) -> None:
    assert readiness() == "learning"
    compare(crm, ANNA, PHONE)
    compare(crm, "nobody@x.kz")
    assert readiness() == "learning"
    compare(crm, "b@x.kz")
    assert (readiness(), row().comparisons) == ("ready", 3)


def test_a_real_account_needs_a_hundred(
    crm: Client, grown_old: list[int], settings: Settings
) -> None:
    settings.AMOCRM_IS_LOCAL = False
    MirrorState.objects.update(comparisons=98)
    compare(crm, ANNA)
    assert readiness() == "learning"
    compare(crm, ANNA)
    assert readiness() == "ready"


@pytest.mark.both_databases
@pytest.mark.parametrize("comparisons", [0, 3])
@pytest.mark.parametrize("lost", [(ANNA,), (PHONE,), (ANNA, PHONE)], ids=len)
def test_one_lie_loses_it(
    crm: Client,
    grown_old: list[int],
    caplog: pytest.LogCaptureFixture,
    lost: tuple[str, ...],
    comparisons: int,
) -> None:
    MirrorState.objects.update(comparisons=comparisons)
    caplog.set_level(logging.WARNING)
    lose(*lost)
    # The page that brings it up to date shows all there is in so small an account.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "enter", lambda *args, **more: None)
        compare(crm, ANNA, PHONE)
        compare(crm, ANNA, PHONE)

    assert readiness() == "distrusted"
    assert (row().comparisons, row().lied_about) == (0, grown_old[0])
    assert row().lie == comparing.UNKNOWN
    assert totals()["mirror_distrusted"] == 1
    assert len(caplog.messages) == 1
    assert str(grown_old[0]) in caplog.text
    assert ANNA not in caplog.text


def test_of_several_lies_the_first_is_kept_and_counted(db: None) -> None:
    mirror.Walk(conf.current())
    mirror.distrust(conf.current().account, "a lie", contact_id=1)
    mirror.distrust(conf.current().account, "another", contact_id=2)
    assert (row().lie, row().lied_about) == ("a lie", 1)
    assert totals()["mirror_distrusted"] == 1


def test_by_what_was_not_searched_for_it_need_not_be_known(
    crm: Client, grown_old: list[int]
) -> None:
    MirrorState.objects.update(comparisons=3)
    lose(PHONE)
    compare(crm, ANNA)
    assert readiness() == "ready"


def test_a_stranger_whom_the_search_finds_is_no_lie(crm: Client, grown_old: list[int]) -> None:
    MirrorState.objects.update(comparisons=3)
    lose("b@x.kz")
    stranger = crm.contact(grown_old[1])
    assert stranger
    mirror.compare(crm, conf.current(), keys(ANNA), [stranger])
    assert readiness() == "ready"


def test_what_changed_after_the_last_read_is_not_held_against_it(
    sandbox: RunningSandbox, crm: Client, grown_old: list[int]
) -> None:
    MirrorState.objects.update(comparisons=3)
    sandbox.control.seed(contacts=[{"emails": ["new@x.kz"]}])
    before = len(asked(sandbox))
    compare(crm, "new@x.kz")
    assert asked(sandbox)[before:] == ["contacts"], "once ready, nothing but the search"
    assert (readiness(), row().comparisons) == ("ready", 4)


def test_while_it_learns_it_is_brought_up_to_date_first(
    sandbox: RunningSandbox, crm: Client, grown_old: list[int]
) -> None:
    sandbox.control.seed(contacts=[{"emails": ["new@x.kz"]}])
    sandbox.control.advance(60)
    before = len(asked(sandbox))
    compare(crm, "new@x.kz")
    assert asked(sandbox)[before:] == ["contacts"] * 2
    assert row().comparisons == 1


def test_what_changed_between_the_search_and_the_last_read_is_no_lie(
    sandbox: RunningSandbox, crm: Client, grown_old: list[int]
) -> None:
    """The search has shown what a manager took off before it was read for the mirror."""
    MirrorState.objects.update(comparisons=3)
    lose(PHONE)
    found = crm.contact(grown_old[0])
    assert found
    sandbox.control.act("edit_contact", contact_id=grown_old[0], phones=[])
    mirror.compare(crm, conf.current(), keys(PHONE), [found])
    assert readiness() == "ready"


def test_before_the_first_walk_and_without_a_search_nothing_is_compared(
    sandbox: RunningSandbox, crm: Client
) -> None:
    compare(crm, ANNA)
    assert not MirrorState.objects.exists()
    mirror.walk(crm, conf.current())
    mirror.compare(crm, conf.current(), [], [])
    assert row().comparisons == 0
    MirrorState.objects.update(walked_at=None)
    before = asked(sandbox)
    mirror.compare(crm, conf.current(), keys(ANNA), [])
    assert (row().comparisons, asked(sandbox)) == (0, before)


def test_switched_off_or_distrusted_nothing_is_compared(
    crm: Client, grown_old: list[int], settings: Settings
) -> None:
    settings.BURST = "off"
    compare(crm, ANNA)
    settings.BURST = "auto"
    assert row().comparisons == 0
    mirror.distrust(conf.current().account, "a lie")
    compare(crm, ANNA)
    assert (row().comparisons, readiness()) == (0, "distrusted")


@pytest.mark.parametrize("where", ["carriers", "enter"])
def test_an_error_of_the_database_fails_no_delivery(
    crm: Client,
    grown_old: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
) -> None:
    def broken(*args: Any, **more: Any) -> Any:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(entries, where, broken)
    compare(crm, ANNA)
    assert "the disk is full" in caplog.text
    assert row().comparisons == 0


def test_trouble_with_amocrm_fails_no_delivery(
    sandbox: RunningSandbox, crm: Client, grown_old: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    found: list[Contact] = crm.search_contacts(ANNA, 1).rows
    sandbox.control.fault("answer", path=".*/contacts", status=502, times=-1)
    mirror.compare(crm, conf.current(), keys(ANNA), found)

    def lost() -> None:
        raise LockLost("the lock was cleared")

    mirror.compare(crm.guarded_by(lost), conf.current(), keys(ANNA), found)
    assert "the lock was cleared" in caplog.text
    assert (row().comparisons, readiness()) == (0, "learning")


# Trust anew --------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_later_walk_lets_it_earn_trust_anew(
    crm: Client, grown_old: list[int], walked: Do
) -> None:
    MirrorState.objects.update(comparisons=3)
    mirror.distrust(conf.current().account, "a lie", contact_id=7)
    assert walked()
    assert (readiness(), row().comparisons, row().lie, row().lied_about) == (
        "learning",
        0,
        "",
        None,
    )
    for _ in range(3):
        compare(crm, ANNA)
    assert readiness() == "ready"


def test_a_walk_that_began_before_the_lie_forgives_nothing(
    sandbox: RunningSandbox, crm: Client, grown_old: list[int]
) -> None:
    walk = mirror.Walk(conf.current())
    walk.entering(crm.newest_contacts)(1)
    with time_machine.travel(timezone.now() + timedelta(seconds=1), tick=False):
        mirror.distrust(conf.current().account, "a lie")
    assert walk.complete(crm)
    assert readiness() == "distrusted"


def test_readiness_is_off_where_it_is_switched_off(db: None, settings: Settings) -> None:
    assert readiness() == "learning"
    settings.BURST = "off"
    assert readiness() == "off"
    mirror.distrust(conf.current().account, "of no mirror")
    assert totals()["mirror_distrusted"] == 0
