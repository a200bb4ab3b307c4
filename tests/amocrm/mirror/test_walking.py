"""A walk fills the mirror, and removes what is no longer so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, mirror
from amocrm.api import whole_list
from amocrm.api.client import Client
from amocrm.api.paging import Page
from amocrm.api.schemas import Contact
from amocrm.errors import RetryLater
from amocrm.mirror import entries, walking
from amocrm.models import MirrorEntry, MirrorState
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.mirror.conftest import ANNA, PHONE, asked, known, plant, row

pytestmark = pytest.mark.django_db(transaction=True)

Do = Callable[[], bool]
HOUR = timedelta(hours=1)


def needs_walk() -> bool:
    return mirror.needs_walk(conf.current())


@pytest.mark.both_databases
def test_a_walk_enters_what_every_contact_carries(sandbox: RunningSandbox, walked: Do) -> None:
    many = [{"emails": [f"p{number}@b.kz"]} for number in range(600)]
    first, second, *_ = plant(
        sandbox, {"emails": [ANNA], "phones": ["8 (777) 111-22-33"]}, {"phones": [PHONE]}, *many
    )

    assert walked()

    assert known(" Anna@X.kz") == {first}
    assert known(PHONE) == {first, second}
    assert len(known("p0@b.kz", "p599@b.kz")) == 2
    assert known("nobody@x.kz") == known() == set()
    assert row().walked_at is not None


def test_nobody_can_be_read_from_it(sandbox: RunningSandbox, walked: Do) -> None:
    plant(sandbox, {"name": "Anna", "emails": [ANNA], "phones": [PHONE]})
    walked()
    kept = repr([*MirrorEntry.objects.values_list(), *MirrorState.objects.values_list()]).lower()
    assert MirrorEntry.objects.count() == 2
    for part in ("anna", "x.kz", "7771112233"):
        assert part not in kept


def test_of_another_account_nothing_is_known(sandbox: RunningSandbox, walked: Do) -> None:
    plant(sandbox, {"emails": [ANNA]})
    walked()
    MirrorEntry.objects.update(account="other.amocrm.ru")
    assert known(ANNA) == set()


def test_the_census_fills_it(sandbox: RunningSandbox) -> None:
    (anna,) = plant(sandbox, {"emails": [ANNA]})
    call_command("find_duplicate_leads", "--json")
    assert known(ANNA) == {anna}
    assert not needs_walk()


def test_switched_off_nothing_is_kept(sandbox: RunningSandbox, settings: Settings) -> None:
    settings.BURST = "off"
    plant(sandbox, {"emails": [ANNA]})
    call_command("find_duplicate_leads", "--json")
    assert (MirrorEntry.objects.count(), MirrorState.objects.count()) == (0, 0)
    assert "contacts" in asked(sandbox)


def test_what_changes_during_a_walk_is_in_it(
    sandbox: RunningSandbox, walked: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [{"emails": [f"p{number}@b.kz"]} for number in range(260)]
    ids = plant(sandbox, *many)
    real = Client.newest_contacts

    def newest(self: Client, page: int) -> Page[Contact]:
        if page == 2:  # the newest stands on the first page
            sandbox.control.act("edit_contact", contact_id=ids[-1], emails=[ANNA])
        return real(self, page)

    monkeypatch.setattr(Client, "newest_contacts", newest)
    assert walked()
    assert known(ANNA) == {ids[-1]}


@pytest.mark.parametrize("pages", [1, 2])
def test_a_list_that_does_not_come_to_its_end_makes_no_mirror(
    sandbox: RunningSandbox, walked: Do, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    plant(sandbox, *({"emails": [f"p{number}@b.kz"]} for number in range(600)))
    if pages == 1:  # it ignores the page
        real = Client.newest_contacts
        monkeypatch.setattr(Client, "newest_contacts", lambda self, page: real(self, 1))
    monkeypatch.setattr(whole_list, "MOST_PAGES", 2)
    assert not walked()
    assert row().walked_at is None


def test_a_walk_that_fails_makes_no_mirror(
    sandbox: RunningSandbox, walked: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_list, "MAX_ATTEMPTS", 2)
    plant(sandbox, {"emails": [ANNA]})
    rule = sandbox.control.fault("answer", path=".*/contacts", status=502, times=-1)
    with pytest.raises(RetryLater):
        walked()
    assert row().walked_at is None
    sandbox.control.clear_faults(rule)
    sandbox.control.fault("answer", path=".*/contacts", status=502)
    assert walked()


def test_more_changes_than_can_be_read_make_no_mirror(
    sandbox: RunningSandbox, walked: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "MOST_PAGES_OF_CHANGES", 1)
    now = int(sandbox.control.state()["now"])
    plant(sandbox, *({"emails": [f"p{n}@b.kz"], "updated_at": now + 60} for n in range(260)))
    assert not walked()
    assert row().walked_at is None


# Cleaning up -------------------------------------------------------------------------------------


def test_what_two_walks_have_not_seen_is_removed(sandbox: RunningSandbox, walked: Do) -> None:
    anna, other = plant(sandbox, {"emails": [ANNA]}, {"emails": ["other@x.kz"]})
    walked()
    sandbox.control.act("edit_contact", contact_id=anna, emails=["anna@y.kz"])

    sandbox.control.advance(24 * 3600)
    walked()
    assert known(ANNA) == {anna}, "one walk may miss a contact"
    sandbox.control.advance(24 * 3600)
    walked()

    assert known(ANNA) == set()
    assert known("anna@y.kz", "other@x.kz") == {anna, other}


def test_a_contact_that_one_walk_has_missed_stays(
    sandbox: RunningSandbox, walked: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something on the first page is deleted before the second is read: the list moves up."""
    ids = plant(sandbox, *({"emails": [f"p{number}@b.kz"]} for number in range(510)))
    missed = ids[-251]
    walked()
    seen_at = MirrorEntry.objects.get(contact_id=missed).seen_at
    real = Client.newest_contacts

    def newest(self: Client, page: int) -> Page[Contact]:
        if page == 2:
            sandbox.control.act("delete_contact", contact_id=ids[-1])
        return real(self, page)

    sandbox.control.advance(24 * 3600)
    with monkeypatch.context() as patch:
        patch.setattr(Client, "newest_contacts", newest)
        assert walked()
    assert MirrorEntry.objects.get(contact_id=missed).seen_at == seen_at, "it was not missed"
    sandbox.control.advance(24 * 3600)
    assert walked()
    assert MirrorEntry.objects.get(contact_id=missed).seen_at > seen_at


# Another key -------------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "changed",
    [
        {"SECRET_KEY": "another secret key"},
        {"PHONE_REGION": "RU"},
        {"IGNORED_IDENTITIES": ["info@school.kz"]},
    ],
    ids=str,
)
def test_with_another_key_it_is_empty_and_is_walked_anew(
    sandbox: RunningSandbox, walked: Do, settings: Settings, changed: dict[str, Any]
) -> None:
    (anna,) = plant(sandbox, {"emails": [ANNA]})
    walked()
    MirrorState.objects.update(comparisons=100, lied_at=timezone.now())
    MirrorState.objects.update(walking_at=timezone.now() - HOUR)
    assert not needs_walk()

    for name, value in changed.items():
        setattr(settings, name, value)

    assert known(ANNA) == set()
    assert mirror.readiness(conf.current()) == "learning"
    assert needs_walk()
    assert walked()
    assert known(ANNA) == {anna}
    assert MirrorEntry.objects.count() == 1
    assert (row().comparisons, row().lied_at) == (0, None)


def test_a_walk_whose_mirror_was_begun_anew_completes_nothing(
    sandbox: RunningSandbox, crm: Client, settings: Settings
) -> None:
    walk = mirror.Walk(conf.current())
    walk.entering(crm.newest_contacts)(1)
    settings.SECRET_KEY = "another secret key"
    mirror.Walk(conf.current())
    settings.SECRET_KEY = "a third"
    assert not walk.complete(crm)
    assert row().walked_at is None


@pytest.mark.both_databases
def test_of_walks_that_begin_at_once_one_empties_the_mirror(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the second would remove what the first has entered meanwhile."""
    MirrorState.objects.create(account=conf.current().account, key="an older one")
    start, emptying = threading.Barrier(2), threading.Barrier(2)
    emptied: list[str] = []
    real = entries.remove_all

    def remove_all(account: str) -> None:
        with suppress(threading.BrokenBarrierError):  # the other one waits, as it should
            emptying.wait(timeout=1)
        real(account)
        emptied.append(account)

    monkeypatch.setattr(entries, "remove_all", remove_all)

    def one(_: int) -> None:
        start.wait()
        mirror.Walk(conf.current())
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(2)))
    assert emptied == [conf.current().account]


def test_entries_are_written_in_one_order(sandbox: RunningSandbox, walked: Do) -> None:
    """Two who enter the same rows in different orders would wait for each other."""
    plant(sandbox, *({"emails": [f"p{number}@b.kz"]} for number in range(50)))
    walked()
    written = list(MirrorEntry.objects.order_by("pk").values_list("digest", "contact_id"))
    assert written == sorted(written)


# Whether somebody should walk --------------------------------------------------------------------


def test_a_walk_is_needed_until_one_is_complete(
    sandbox: RunningSandbox, walked: Do, settings: Settings
) -> None:
    assert needs_walk()
    settings.BURST = "off"
    assert not needs_walk()
    settings.BURST = "auto"
    walked()
    MirrorState.objects.update(walking_at=None)
    assert not needs_walk()
    MirrorState.objects.update(walked_at=None)
    assert needs_walk()


def test_while_somebody_walks_nobody_else_is_needed(sandbox: RunningSandbox, crm: Client) -> None:
    walk = mirror.Walk(conf.current())
    assert not needs_walk()
    with time_machine.travel(timezone.now() + timedelta(minutes=29), tick=False):
        assert not needs_walk()
        walk.entering(crm.newest_contacts)(1)  # seen at it again
    with time_machine.travel(timezone.now() + timedelta(minutes=58), tick=False):
        assert not needs_walk()
    with time_machine.travel(timezone.now() + timedelta(minutes=60), tick=False):
        assert needs_walk()
    with time_machine.travel(timezone.now() - timedelta(minutes=1), tick=False):
        assert needs_walk(), "the clock was set back"


def test_after_a_lie_a_walk_is_needed_an_hour_later(sandbox: RunningSandbox, walked: Do) -> None:
    walked()
    MirrorState.objects.update(walking_at=None)
    mirror.distrust(conf.current().account, "a lie")
    assert not needs_walk()
    with time_machine.travel(timezone.now() + HOUR + timedelta(seconds=1), tick=False):
        assert needs_walk()


@pytest.mark.both_databases
@pytest.mark.parametrize("is_new", [True, False])
def test_of_several_who_ask_one_sees_to_it(db: None, is_new: bool) -> None:
    if not is_new:
        MirrorState.objects.create(
            account=conf.current().account, walking_at=timezone.now() - timedelta(hours=2)
        )
    start = threading.Barrier(6)

    def one(_: int) -> bool:
        start.wait()
        try:
            return mirror.take_walk(conf.current())
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, range(6))) == 1
    assert not mirror.take_walk(conf.current())
    mirror.leave_walk(conf.current())
    assert mirror.take_walk(conf.current())
