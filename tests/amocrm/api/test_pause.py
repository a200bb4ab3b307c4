"""Holds and pauses: who begins them, who they stop, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from amocrm import conf, counters
from amocrm.api import pause
from amocrm.errors import AccountPaused
from amocrm.models import AccountState

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 3, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account() -> str:
    return conf.current().account


def state() -> AccountState:
    return AccountState.objects.get()


def test_an_account_that_nobody_paused_may_be_spoken_to(account: str) -> None:
    pause.check(account)
    assert pause.current() is None


def test_a_pause_stops_everybody_and_says_why_since_when_and_until(
    account: str, clock: time_machine.Traveller, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("ERROR"):
        pause.begin(account, "token", "the token was revoked")
    with pytest.raises(AccountPaused, match="the token was revoked") as raised:
        pause.check(account)
    assert "until 2026-11-23 08:00:15: the token was revoked" in caplog.text
    assert raised.value.until == START + timedelta(seconds=15)
    assert pause.current() == pause.AccountPause(
        "token", "the token was revoked", START, START + timedelta(seconds=15)
    )
    assert counters.totals()["account_paused"] == 1


def test_another_account_is_not_paused(account: str) -> None:
    pause.begin("other.amocrm.ru", "token", "revoked")
    pause.check(account)
    assert pause.current() is None
    assert not pause.resume("somebody")


def test_a_pause_keeps_its_reason_and_schedule(account: str, clock: time_machine.Traveller) -> None:
    pause.begin(account, "token", "the first reason")
    clock.shift(5)
    pause.begin(account, "unpaid", "the second reason")
    assert state().pause_reason == "the first reason"
    assert state().paused_since == START
    assert counters.totals()["account_paused"] == 1


def test_an_operator_ends_a_pause(account: str) -> None:
    pause.begin(account, "token", "revoked")
    assert pause.resume("olga")
    pause.check(account)
    assert pause.current() is None
    assert not pause.resume("olga")


def test_only_the_pause_that_was_asked_about_is_ended(
    account: str, clock: time_machine.Traveller
) -> None:
    pause.begin(account, "token", "the first")
    clock.shift(60)
    pause.resume("olga")
    clock.shift(1)
    pause.begin(account, "token", "the second")
    assert not pause.resume("a probe", since=START)
    assert pause.current() is not None
    assert pause.resume("a probe", since=state().paused_since)


def test_an_answer_to_a_call_from_before_the_resume_is_old_news(
    account: str, clock: time_machine.Traveller
) -> None:
    sent_at = timezone.now()
    clock.shift(1)
    pause.begin(account, "token", "revoked")
    clock.shift(10)
    pause.resume("olga")
    clock.shift(1)
    pause.begin(account, "token", "revoked", sent_at=sent_at)
    assert pause.current() is None
    pause.begin(account, "token", "revoked", sent_at=timezone.now())
    assert pause.current() is not None


def test_429_holds_everybody_for_as_long_as_it_asks(
    account: str, clock: time_machine.Traveller
) -> None:
    pause.rate_limited(account, 7, "429")
    with pytest.raises(AccountPaused, match="slow down") as raised:
        pause.check(account)
    assert raised.value.until == START + timedelta(seconds=7)
    assert pause.current() is None
    clock.shift(6.9)
    with pytest.raises(AccountPaused):
        pause.check(account)
    clock.shift(0.2)
    pause.check(account)


def test_429_without_a_time_holds_for_two_seconds(
    account: str, clock: time_machine.Traveller
) -> None:
    pause.rate_limited(account, None, "429")
    assert state().backoff_until == START + timedelta(seconds=2)
    assert counters.totals()["rate_limited"] == 1


def test_a_hold_never_gets_shorter(account: str, clock: time_machine.Traveller) -> None:
    pause.rate_limited(account, 30, "429")
    clock.shift(1)
    pause.rate_limited(account, None, "429")
    assert state().backoff_until == START + timedelta(seconds=30)


def test_the_third_429_within_a_minute_pauses(account: str, clock: time_machine.Traveller) -> None:
    pause.rate_limited(account, None, "one")
    clock.shift(20)
    pause.rate_limited(account, None, "two")
    assert pause.current() is None
    clock.shift(20)
    pause.rate_limited(account, None, "three")
    paused = pause.current()
    assert paused is not None
    assert (paused.kind, paused.reason) == ("rate", "three")
    assert paused.until == timezone.now() + timedelta(seconds=15)


def test_three_429_over_more_than_a_minute_do_not_pause(
    account: str, clock: time_machine.Traveller
) -> None:
    for _ in range(5):
        pause.rate_limited(account, None, "429")
        clock.shift(31)
    assert pause.current() is None


def test_429_to_calls_that_were_under_way_together_count_as_one(
    account: str, clock: time_machine.Traveller
) -> None:
    for _ in range(5):
        pause.rate_limited(account, None, "429", sent_at=START)
        clock.shift(0.1)
    assert pause.current() is None
    for _ in range(2):
        clock.shift(5)
        pause.rate_limited(account, None, "429", sent_at=timezone.now())
    assert pause.current() is not None


def test_a_429_above_the_ceiling_pauses_and_says_so(
    account: str, clock: time_machine.Traveller
) -> None:
    pause.rate_limited(account, 300, "too many requests")
    paused = pause.current()
    assert paused is not None
    assert "0:05:00" in paused.reason
    assert paused.until == START + timedelta(seconds=300)
    assert pause.take_probe(account) is None


def test_a_429_to_a_probe_puts_the_next_probe_off(
    account: str, clock: time_machine.Traveller
) -> None:
    pause.begin(account, "rate", "429")
    pause.rate_limited(account, 50, "429")
    assert state().next_probe_at == START + timedelta(seconds=50)


def test_probes_are_due_ever_more_seldom(account: str, clock: time_machine.Traveller) -> None:
    pause.begin(account, "token", "revoked")
    waits = []
    asked_at = START
    for _ in range(8):
        due = state().next_probe_at
        assert due is not None
        clock.move_to(due - timedelta(seconds=1))
        assert pause.take_probe(account) is None
        clock.move_to(due)
        taken = pause.take_probe(account)
        assert taken is not None
        assert (taken.kind, taken.since) == ("token", START)
        assert pause.take_probe(account) is None
        waits.append((due - asked_at).total_seconds())
        asked_at = due
    assert waits == [15, 60, 120, 300, 600, 600, 600, 600]


def test_no_probe_is_due_while_nothing_is_paused(account: str) -> None:
    assert pause.take_probe(account) is None
    pause.rate_limited(account, None, "429")
    assert pause.take_probe(account) is None


def test_a_pause_after_a_resume_starts_its_schedule_anew(
    account: str, clock: time_machine.Traveller
) -> None:
    pause.begin(account, "token", "revoked")
    for _ in range(3):
        due = state().next_probe_at
        assert due is not None
        clock.move_to(due)
        pause.take_probe(account)
    pause.resume("olga")
    clock.shift(1)
    pause.begin(account, "token", "revoked")
    assert state().next_probe_at == timezone.now() + timedelta(seconds=15)


def probed(account: str, clock: time_machine.Traveller, kind: str) -> None:
    """A pause that a probe ends, as soon as it is due."""
    pause.begin(account, kind, "refused")
    due = state().next_probe_at
    assert due is not None
    clock.move_to(due)
    taken = pause.take_probe(account)
    assert taken is not None
    assert pause.resume("a probe", since=taken.since)
    clock.shift(1)


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        ("scope", [15, 60, 120, 300, 600, 600]),
        ("unpaid", [15, 60, 120, 300, 600, 600]),
        ("rights", [15, 60, 120, 300, 600, 600]),
        ("token", [15, 15, 15, 15, 15, 15]),
    ],
)
def test_what_only_writes_meet_is_not_begun_anew_by_a_probe_that_reads(
    account: str, clock: time_machine.Traveller, kind: str, waits: list[int]
) -> None:
    """A probe of a missing right succeeds, and the next lead is refused again."""
    seen = []
    for _ in waits:
        before = timezone.now()
        probed(account, clock, kind)
        seen.append((timezone.now() - before).total_seconds() - 1)
    assert seen == waits


def test_an_operator_who_resumes_begins_the_schedule_anew(
    account: str, clock: time_machine.Traveller
) -> None:
    probed(account, clock, "scope")
    pause.begin(account, "scope", "refused")
    pause.resume("olga")
    clock.shift(1)
    pause.begin(account, "scope", "refused")
    assert state().next_probe_at == timezone.now() + timedelta(seconds=15)


def test_much_later_it_is_another_pause(account: str, clock: time_machine.Traveller) -> None:
    probed(account, clock, "scope")
    clock.shift(pause.RELAPSE)
    pause.begin(account, "scope", "refused")
    assert state().next_probe_at == timezone.now() + timedelta(seconds=15)


def test_another_trouble_found_by_a_probe_is_shown(
    account: str, clock: time_machine.Traveller
) -> None:
    pause.begin(account, "token", "revoked")
    before = state()
    pause.update_reason(account, "unpaid", "not paid")
    assert (state().pause_kind, state().pause_reason) == ("unpaid", "not paid")
    assert (state().paused_since, state().next_probe_at) == (
        before.paused_since,
        before.next_probe_at,
    )
    pause.resume("olga")
    pause.update_reason(account, "token", "late")
    assert pause.current() is None


# --- at the same time, on both databases -------------------------------------------------------


def at_once(count: int, run: Callable[[], object]) -> list[object]:
    """Run something in several threads as close to each other as possible."""
    barrier = threading.Barrier(count)
    ended: list[object] = []

    def thread() -> None:
        barrier.wait()
        try:
            ended.append(run())
        except Exception as error:
            ended.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=thread) for _ in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return ended


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_a_pause_begun_by_many_at_once_begins_once(account: str) -> None:
    ended = at_once(8, lambda: pause.begin(account, "token", "revoked"))
    assert ended == [None] * 8
    assert AccountState.objects.count() == 1
    assert counters.totals()["account_paused"] == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_of_many_429_at_once_none_is_forgotten(account: str) -> None:
    ended = at_once(8, lambda: pause.rate_limited(account, None, "429"))
    assert ended == [None] * 8
    assert len(state().rate_limited_at) == 8
    assert counters.totals()["rate_limited"] == 8
    assert counters.totals()["account_paused"] == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_exactly_one_process_takes_a_probe(account: str) -> None:
    for _ in range(5):
        AccountState.objects.all().delete()
        pause.begin(account, "token", "revoked", first_probe=timedelta(0))
        taken = at_once(8, lambda: pause.take_probe(account))
        assert [one is not None for one in taken].count(True) == 1
        assert state().probes == 1


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_a_resume_by_many_at_once_happens_once(account: str) -> None:
    pause.begin(account, "token", "revoked")
    assert sorted(map(bool, at_once(8, lambda: pause.resume("olga")))) == [False] * 7 + [True]
