"""Passwords are checked one after another, and whoever gets no turn hears so at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from config.login import turns as module
from config.login.refusal import LoginRefused
from config.login.turns import Turns
from tests.config.login.conftest import ELSEWHERE, HOME, LogIn
from tests.waiting import wait_until

OTHER = "192.0.2.5"


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """Those of this test; other threads have time to wait, the test's own never waits."""
    monkeypatch.setattr(module, "LONGEST_WAIT", 60)
    made, own = Turns(), threading.current_thread()
    wait_for = made._changed.wait_for

    def elsewhere(*args: Any) -> Any:
        assert threading.current_thread() is not own, "it waited"
        return wait_for(*args)

    monkeypatch.setattr(made._changed, "wait_for", elsewhere)
    monkeypatch.setattr(module, "strangers", made)
    return made


def _at_least(turns: Turns, number: int) -> bool:
    """Whether so many wait."""
    return len(turns._waiting) >= number


@contextmanager
def taken(turns: Turns, *waiting: str) -> Iterator[list[str]]:
    """The turn is taken, and these addresses wait in this order: who was served afterwards."""
    served: list[str] = []

    def wait(address: str) -> None:
        with turns.turn(address, may_wait=True):
            served.append(address)

    threads = [threading.Thread(target=wait, args=(address,)) for address in waiting]
    with turns.turn(HOME, may_wait=False):
        for number, thread in enumerate(threads, 1):
            thread.start()
            they_wait = partial(_at_least, turns, number)
            wait_until(they_wait, "it waits", pause=0.005)
        yield served
    for thread in threads:
        thread.join()


def is_refused(turns: Turns, address: str, *, may_wait: bool) -> bool:
    try:
        with turns.turn(address, may_wait=may_wait):
            return False
    except LoginRefused as error:
        return error.refusal.is_busy


def test_those_who_wait_are_served_in_their_order(turns: Turns) -> None:
    with taken(turns, ELSEWHERE, HOME) as served:
        assert not served
        turns._taken = False  # as the first of them finds it, and the second
        assert [turns._is_next(one) for one in (ELSEWHERE, HOME)] == [True, False]
        turns._taken = True
    assert served == [ELSEWHERE, HOME]
    assert not is_refused(turns, OTHER, may_wait=False)


def test_whoever_may_not_wait_is_refused_at_once(turns: Turns) -> None:
    with taken(turns):
        assert is_refused(turns, OTHER, may_wait=False)


def test_of_one_address_one_waits(turns: Turns) -> None:
    with taken(turns, HOME):
        assert is_refused(turns, HOME, may_wait=True)


def test_few_wait(turns: Turns) -> None:
    with taken(turns, HOME, ELSEWHERE):
        assert is_refused(turns, OTHER, may_wait=True)


def test_whoever_may_not_wait_goes_after_those_who_do(turns: Turns) -> None:
    with taken(turns, HOME):
        turns._taken = False  # between two turns
        assert is_refused(turns, OTHER, may_wait=False)
        turns._taken = True


def test_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.01)
    turns = Turns()
    with taken(turns):
        assert is_refused(turns, ELSEWHERE, may_wait=True)
    assert not is_refused(turns, ELSEWHERE, may_wait=False)


def test_a_turn_ends_with_an_error_too(turns: Turns) -> None:
    with pytest.raises(ZeroDivisionError), turns.turn(HOME, may_wait=True):
        _ = 1 / 0
    assert not is_refused(turns, HOME, may_wait=False)


# Over HTTP --------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("operator")
def test_a_login_beyond_the_bound_is_refused_without_hashing(
    turns: Turns, log_in: LogIn, hashed: list[str]
) -> None:
    log_in(password="wrong")
    hashed.clear()
    with taken(turns):
        answer = log_in()
        assert (answer.status_code, answer["Retry-After"]) == (429, "5")
        assert log_in().status_code == 429
    assert not hashed


@pytest.mark.django_db
def test_where_nobody_could_even_wait_nothing_is_asked(
    turns: Turns, log_in: LogIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with taken(turns, HOME, ELSEWHERE), django_assert_num_queries(0):
        assert log_in(at=OTHER).status_code == 429


@pytest.mark.django_db
@pytest.mark.usefixtures("operator")
def test_whoever_was_told_to_come_back_is_not_a_failure(turns: Turns, log_in: LogIn) -> None:
    with taken(turns, HOME, ELSEWHERE):
        assert log_in().status_code == 429
    assert log_in().status_code == 302


@pytest.mark.django_db
@pytest.mark.usefixtures("operator")
def test_where_somebody_has_logged_in_before_guessers_take_no_turn(
    turns: Turns, log_in: LogIn, client: Client
) -> None:
    assert log_in().status_code == 302
    client.cookies.pop("sessionid")
    with taken(turns, HOME, ELSEWHERE):
        assert log_in().status_code == 302
        client.cookies.pop("sessionid")
        assert log_in("boris").status_code == 429, "the name was another"
        client.cookies["known_browser"] = client.cookies["known_browser"].value + "x"
        assert log_in().status_code == 429
