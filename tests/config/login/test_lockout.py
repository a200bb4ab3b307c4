"""Who guesses is locked out, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from amocrm.counters import totals
from config.login import remembered
from tests.config.login.conftest import ELSEWHERE, HOME, LogIn

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.django_db,
    pytest.mark.usefixtures("operator"),
]


def fail(log_in: LogIn, times: int, **how: str) -> Any:
    for at in range(times):
        answer = log_in(password=f"wrong {at}", **how)
    return answer


def later(**time: int) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(**time), tick=False)


def test_five_wrong_passwords_lock_out_that_name_from_that_address(
    log_in: LogIn, hashed: list[str]
) -> None:
    assert fail(log_in, 4).status_code == 200
    answer = fail(log_in, 1)
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    hashed.clear()
    remembered.forget()
    assert log_in().status_code == 429
    assert log_in().status_code == 429
    assert not hashed


def test_nobody_is_locked_out_from_elsewhere(log_in: LogIn) -> None:
    fail(log_in, 6)
    assert log_in(at=ELSEWHERE).status_code == 302


def test_a_colleague_at_the_same_address_may_go_on(log_in: LogIn) -> None:
    User.objects.create_user("boris", password="right", is_staff=True)
    fail(log_in, 6)
    assert log_in("boris").status_code == 302


def test_an_address_is_locked_out_after_twenty_whatever_the_names(
    log_in: LogIn, hashed: list[str]
) -> None:
    for at in range(5):
        answer = fail(log_in, 4, name=f"guess{at}")
    assert answer.status_code == 429
    hashed.clear()
    assert log_in().status_code == 429
    assert not hashed
    assert log_in(at=ELSEWHERE).status_code == 302


def test_another_browser_does_not_begin_anew(log_in: LogIn) -> None:
    for at in range(5):
        answer = fail(log_in, 1, user_agent=f"browser {at}")
    assert answer.status_code == 429


def test_it_ends_after_a_quarter_of_an_hour_though_somebody_goes_on_trying(log_in: LogIn) -> None:
    fail(log_in, 5)
    with later(minutes=14):
        assert log_in().status_code == 429
    with later(minutes=15, seconds=1):
        assert log_in().status_code == 302


def test_the_page_tells_when_enough_is_forgotten(log_in: LogIn) -> None:
    with later(minutes=-10):
        fail(log_in, 1, user_agent="phone")
    assert fail(log_in, 4)["Retry-After"] in {"299", "300"}


def test_a_login_forgets_what_that_name_got_wrong_and_no_other(log_in: LogIn) -> None:
    fail(log_in, 4)
    fail(log_in, 4, name="guess")
    assert log_in().status_code == 302
    assert list(AccessAttempt.objects.values_list("username", flat=True)) == ["guess"]
    assert fail(log_in, 4).status_code == 200


def test_what_is_old_is_removed(log_in: LogIn) -> None:
    fail(log_in, 2)
    with later(minutes=16):
        fail(log_in, 1, name="guess")
        assert AccessAttempt.objects.get().username == "guess"


def test_neither_the_password_nor_the_token_of_the_form_is_kept(log_in: LogIn, client: Any) -> None:
    form = {"username": "anna", "password": "secret-one", "csrfmiddlewaretoken": "secret-two"}
    client.post("/admin/login/", form)
    client.post("/admin/login/", form)
    (row,) = AccessAttempt.objects.values()
    assert "password" in row["post_data"]
    assert "secret" not in str(row)


# Where somebody is ------------------------------------------------------------------------------


def test_behind_a_proxy_the_address_is_what_the_proxy_saw(
    log_in: LogIn, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = 1
    proxy = "192.0.2.1"
    for at in range(5):
        fail(log_in, 1, at=proxy, x_forwarded_for=f"10.0.0.{at}, {HOME}")
    assert log_in(at=proxy, x_forwarded_for=HOME).status_code == 429
    assert log_in(at=proxy, x_forwarded_for=f"{HOME}, {ELSEWHERE}").status_code == 302


def test_without_trusted_proxies_nobody_says_where_he_is(log_in: LogIn) -> None:
    for at in range(5):
        answer = fail(log_in, 1, x_forwarded_for=f"10.0.0.{at}")
    assert answer.status_code == 429


def test_an_ipv6_network_is_one_address(log_in: LogIn) -> None:
    for at in range(5):
        answer = fail(log_in, 1, at=f"2001:db8:0:7::{at + 1}")
    assert answer.status_code == 429
    assert log_in(at="2001:db8:0:8::1").status_code == 302
    call_command("axes_reset_ip", "2001:db8:0:7::")
    remembered.forget()
    assert log_in(at="2001:db8:0:7::1").status_code == 302


def test_an_address_that_nobody_knows_is_one_too(log_in: LogIn) -> None:
    assert fail(log_in, 5, at="").status_code == 429
    assert log_in(at="").status_code == 429


# Unlocking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("axes_reset",),
        ("axes_reset_ip", HOME),
        ("axes_reset_username", "anna"),
        ("axes_reset_ip_username", HOME, "anna"),
    ],
)
def test_who_is_unlocked_may_try_some_seconds_later(log_in: LogIn, command: tuple[str]) -> None:
    fail(log_in, 5)
    assert log_in().status_code == 429
    call_command(*command)
    with later(seconds=6):
        assert log_in().status_code == 302


def test_who_was_just_refused_is_refused_without_the_database(
    log_in: LogIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fail(log_in, 5)
    log_in()
    with django_assert_num_queries(0):
        assert log_in().status_code == 429


# What is seen of it -----------------------------------------------------------------------------


def test_each_failure_is_a_line_and_a_count_and_so_is_the_lockout(
    log_in: LogIn, caplog: pytest.LogCaptureFixture
) -> None:
    fail(log_in, 7)
    lines = [(one.levelname, one.getMessage()) for one in caplog.records if "Login" in one.msg]
    failed = ("INFO", f"🔑 Login failed: anna from {HOME}")
    locked = ("WARNING", f"⛔ Login locked for 15 min: anna from {HOME}")
    assert lines == [failed] * 5 + [locked]
    assert (totals()["login_failed"], totals()["login_locked"]) == (5, 1)


def test_the_name_is_printable_and_short(log_in: LogIn, caplog: pytest.LogCaptureFixture) -> None:
    fail(log_in, 1, name="a\u202eb" + "c" * 100)
    assert f"Login failed: a b{'c' * 56}… from" in caplog.text


def test_the_name_is_masked_if_people_are(
    log_in: LogIn, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LOG_PII = "masked"
    fail(log_in, 1, name="typed-into-the-wrong-field")
    assert "Login failed: ty*** from" in caplog.text
    assert "wrong-field" not in caplog.text
