"""Reading what has changed, to where it is known already."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, mirror
from amocrm.api.client import Client, connect
from amocrm.api.paging import Page
from amocrm.api.schemas import Contact
from amocrm.counters import totals
from amocrm.errors import RetryLater
from amocrm.mirror import expected, feed, state
from amocrm.models import MirrorEntry, MirrorState
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.mirror.conftest import ANNA, PHONE, asked, known, plant, row

pytestmark = pytest.mark.django_db(transaction=True)

Do = Callable[[], bool]


def changed(sandbox: RunningSandbox, many: int) -> list[int]:
    """So many contacts that change now."""
    rows = [{"emails": [f"new{number}@b.kz"]} for number in range(many)]
    return sandbox.control.seed(contacts=rows)["contacts"]


def made(crm: Client, email: str) -> int:
    """The contact that a delivery has just made."""
    field = {"field_code": "EMAIL", "values": [{"value": email, "enum_code": "WORK"}]}
    contact = {"name": "Anna", "custom_fields_values": [field]}
    created = crm.create_lead({"name": "Test", "_embedded": {"contacts": [contact]}})
    assert created.contact_id
    return created.contact_id


@pytest.mark.both_databases
def test_what_is_new_or_changed_is_entered(
    sandbox: RunningSandbox, walked: Do, caught_up: Do
) -> None:
    (old,) = plant(sandbox, {"emails": ["old@x.kz"]})
    walked()
    (new,) = sandbox.control.seed(contacts=[{"emails": [ANNA]}])["contacts"]
    sandbox.control.act("edit_contact", contact_id=old, phones=[PHONE])
    before = len(asked(sandbox))

    assert caught_up()

    assert known(ANNA) == {new}
    assert known(PHONE) == {old}
    assert asked(sandbox)[before:] == ["contacts"]


def test_what_a_contact_carries_no_longer_costs_only_a_look(
    sandbox: RunningSandbox, walked: Do, caught_up: Do
) -> None:
    (anna,) = plant(sandbox, {"emails": [ANNA]})
    walked()
    sandbox.control.act("edit_contact", contact_id=anna, emails=["anna@y.kz"])
    assert caught_up()
    assert known(ANNA) == known("anna@y.kz") == {anna}


def test_before_the_first_walk_nothing_is_read(sandbox: RunningSandbox, caught_up: Do) -> None:
    assert not caught_up()
    assert asked(sandbox) == []


def test_a_mirror_that_is_off_or_distrusted_is_not_read_on(
    sandbox: RunningSandbox, walked: Do, caught_up: Do, settings: Settings
) -> None:
    walked()
    before = asked(sandbox)
    settings.BURST = "off"
    assert not caught_up()
    settings.BURST = "auto"
    mirror.distrust(conf.current().account, "a lie")
    assert not caught_up()
    assert asked(sandbox) == before


def test_it_is_read_to_known_ground_and_no_further(
    sandbox: RunningSandbox, walked: Do, caught_up: Do
) -> None:
    plant(sandbox, *({"emails": [f"p{number}@b.kz"]} for number in range(600)))
    walked()
    sandbox.control.advance(60)
    changed(sandbox, 251)
    sandbox.control.advance(60)
    before = len(asked(sandbox))
    assert caught_up()
    assert asked(sandbox)[before:] == ["contacts"] * 2
    assert len(known("new0@b.kz", "new250@b.kz")) == 2
    before = len(asked(sandbox))
    assert caught_up()
    assert asked(sandbox)[before:] == ["contacts"]


def test_what_was_timed_a_moment_before_the_last_read_is_seen_by_the_next(
    sandbox: RunningSandbox, walked: Do, caught_up: Do
) -> None:
    """It was written then, and shown only afterwards."""
    walked()
    until = row().read_at
    assert until is not None
    late = int(until.timestamp()) - 4
    rows = [{"emails": ["late@x.kz"], "created_at": late, "updated_at": late}]
    newer = [{"emails": [f"n{n}@x.kz"], "updated_at": late + 2} for n in range(250)]
    sandbox.control.seed(contacts=rows + newer)
    assert caught_up()
    assert len(known("late@x.kz")) == 1


def test_more_changes_than_fit_make_it_learn_again(
    sandbox: RunningSandbox, walked: Do, crm: Client
) -> None:
    walked()
    MirrorState.objects.update(comparisons=100, walking_at=None)
    assert mirror.readiness(conf.current()) == "ready"
    changed(sandbox, 501)

    assert not mirror.catch_up(crm, conf.current(), most_pages=2)

    assert mirror.readiness(conf.current()) == "learning"
    assert mirror.needs_walk(conf.current())
    assert not mirror.catch_up(crm, conf.current())
    assert walked()
    assert mirror.readiness(conf.current()) == "ready"
    assert len(known("new500@b.kz")) == 1


def test_who_has_read_on_meanwhile_is_not_made_to_learn_again(
    sandbox: RunningSandbox, walked: Do, crm: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked()
    changed(sandbox, 251)
    real, other = Client.changed_contacts, MirrorState.objects

    def read(self: Client, page: int) -> Page[Contact]:
        other.update(read_at=timezone.now())
        return real(self, page)

    monkeypatch.setattr(Client, "changed_contacts", read)
    assert not mirror.catch_up(crm, conf.current(), most_pages=1)
    assert row().walked_at is not None


def test_trouble_is_the_callers(sandbox: RunningSandbox, walked: Do, caught_up: Do) -> None:
    walked()
    before = row().read_at
    sandbox.control.fault("answer", path=".*/contacts", status=403, body={}, times=1)
    sandbox.control.fault("lose_answer", path=".*/contacts", times=1)
    for _ in range(2):
        with pytest.raises(Exception, match="amoCRM|may not"):
            caught_up()
    assert row().read_at == before


# The clock ---------------------------------------------------------------------------------------


def test_the_time_of_the_last_read_is_amocrms_and_of_its_beginning(
    sandbox: RunningSandbox, walked: Do, caught_up: Do
) -> None:
    walked()
    sandbox.control.advance(3 * 3600)
    sandbox.control.fault("delay", path=".*/contacts", delay=1.5)
    began = sandbox.control.state()["now"]
    assert caught_up()
    until = row().read_at
    assert until is not None
    assert began - 60 < until.timestamp() <= sandbox.control.state()["now"] - 1.5


@pytest.mark.both_databases
def test_the_time_of_the_last_read_only_moves_forward(db: None) -> None:
    early, late = (datetime(2026, 11, day, tzinfo=UTC) for day in (24, 25))
    mirror.Walk(conf.current())
    MirrorState.objects.update(read_at=early)
    state.read_until(conf.current(), late)
    state.read_until(conf.current(), early)
    assert row().read_at == late


# Several at once ---------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_of_those_who_read_at_once_none_loses_an_entry(sandbox: RunningSandbox, walked: Do) -> None:
    walked()
    start = threading.Barrier(4)

    def one(number: int) -> bool:
        with connect(conf.current()) as crm:
            start.wait()
            sandbox.control.seed(contacts=[{"emails": [f"{number}@x.kz"], "phones": [PHONE]}])
            try:
                return mirror.catch_up(crm, conf.current())
            finally:
                connection.close()

    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(one, range(4)))
    assert len(known(PHONE)) == 20
    assert [len(known(f"{number}@x.kz")) for number in range(4)] == [5] * 4


def test_what_was_entered_a_moment_ago_is_not_written_again(
    sandbox: RunningSandbox, walked: Do, caught_up: Do
) -> None:
    plant(sandbox, {"emails": [ANNA]})
    walked()
    seen_at = MirrorEntry.objects.get().seen_at
    caught_up()
    assert MirrorEntry.objects.get().seen_at == seen_at
    sandbox.control.advance(120)
    caught_up()
    assert MirrorEntry.objects.get().seen_at > seen_at + timedelta(seconds=100)


# Lies --------------------------------------------------------------------------------------------


def hide(monkeypatch: pytest.MonkeyPatch, contact_id: int) -> None:
    """Let the list of changes not show a contact."""
    real = Client.changed_contacts

    def without(self: Client, page: int) -> Page[Contact]:
        read = real(self, page)
        rows = [row for row in read.rows if row.id != contact_id]
        return Page(rows, read.has_next, read.asked_at)

    monkeypatch.setattr(Client, "changed_contacts", without)


def test_our_own_contacts_are_shown(
    sandbox: RunningSandbox, walked: Do, caught_up: Do, crm: Client
) -> None:
    walked()
    mirror.expect(conf.current().account, [made(crm, ANNA)])
    assert caught_up()
    assert expected.of(conf.current().account) == frozenset()


def test_a_list_that_does_not_show_our_own_contact_is_distrusted(
    sandbox: RunningSandbox,
    walked: Do,
    caught_up: Do,
    crm: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked()
    contact_id = made(crm, ANNA)
    hide(monkeypatch, contact_id)
    assert caught_up()
    mirror.expect(conf.current().account, [contact_id])

    assert not caught_up()

    assert mirror.readiness(conf.current()) == "distrusted"
    assert (row().lie, row().lied_about) == (feed.NOT_SHOWN, contact_id)
    assert totals()["mirror_distrusted"] == 1


def test_what_another_process_has_entered_need_not_be_shown(
    sandbox: RunningSandbox,
    walked: Do,
    caught_up: Do,
    crm: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked()
    contact_id = made(crm, ANNA)
    assert caught_up()
    mirror.expect(conf.current().account, [contact_id])
    hide(monkeypatch, contact_id)
    assert caught_up()


def test_a_contact_of_ours_that_somebody_has_deleted_is_no_lie(
    sandbox: RunningSandbox, walked: Do, caught_up: Do, crm: Client
) -> None:
    walked()
    contact_id = made(crm, ANNA)
    mirror.expect(conf.current().account, [contact_id])
    sandbox.control.act("delete_contact", contact_id=contact_id)
    assert caught_up()
    assert mirror.readiness(conf.current()) == "learning"


def test_only_what_was_made_before_a_read_began_must_be_shown_by_it(
    sandbox: RunningSandbox,
    walked: Do,
    caught_up: Do,
    crm: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked()
    contact_id = made(crm, ANNA)
    hide(monkeypatch, contact_id)
    shown = Client.changed_contacts

    def meanwhile(self: Client, page: int) -> Page[Contact]:
        mirror.expect(conf.current().account, [contact_id])
        return shown(self, page)

    with monkeypatch.context() as patch:
        patch.setattr(Client, "changed_contacts", meanwhile)
        assert caught_up()
    assert not caught_up(), "the next one must show it"


def test_what_failed_to_be_read_is_still_expected(
    sandbox: RunningSandbox,
    walked: Do,
    caught_up: Do,
    crm: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked()
    contact_id = made(crm, ANNA)
    mirror.expect(conf.current().account, [contact_id])
    sandbox.control.fault("lose_answer", path=".*/contacts", times=1)
    with pytest.raises(RetryLater):
        caught_up()
    hide(monkeypatch, contact_id)
    assert not caught_up()


def test_little_is_expected_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = conf.current().account
    mirror.expect(ours, range(expected.MOST + 10))
    assert expected.of(ours) == frozenset(range(10, expected.MOST + 10))
    mirror.expect("other.amocrm.ru", [7])
    assert expected.of(ours) == frozenset(range(11, expected.MOST + 10))
    assert expected.of("other.amocrm.ru") == {7}
    monkeypatch.setattr(expected, "FOR", -1)
    assert expected.of(ours) == expected.of("other.amocrm.ru") == frozenset()


def test_a_list_in_another_order_is_distrusted(
    sandbox: RunningSandbox, walked: Do, caught_up: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(sandbox, {"emails": [ANNA]}, {"emails": ["b@x.kz"], "updated_at": 1_800_000_000})
    assert walked()

    def by_id(crm: Client, page: int) -> Page[Contact]:
        listing = {"order[id]": "asc"}
        return crm._list("contacts", "contacts", page, listing, Contact.parse)

    monkeypatch.setattr(Client, "changed_contacts", by_id)
    assert not caught_up()
    assert row().lie == feed.NOT_IN_ORDER
    MirrorState.objects.all().delete()
    assert not walked()
    assert mirror.readiness(conf.current()) == "distrusted"
