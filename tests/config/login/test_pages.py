"""What a refused login sees."""

from __future__ import annotations

import re
import time

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.test import Client

from config.login import remembered
from config.login.refusal import Refusal
from tests.config.login.conftest import HOME, LogIn


def told(log_in: LogIn, language: str, *, is_busy: bool, seconds: float) -> str:
    refusal = Refusal(is_busy=is_busy, until=time.time() + seconds)
    remembered.remember(refusal, "anna", HOME)
    answer = log_in(accept_language=language)
    assert (answer.status_code, answer["Cache-Control"]) == (429, "no-store")
    text: str = answer.content.decode()
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert not re.search(r"<style|<script(?! src)| style=| on\w+=", text)
    assert f'lang="{language}"' in text
    return text


@pytest.mark.parametrize(
    ("language", "is_busy", "words"),
    [
        ("en", False, "Try again in 15 minutes."),
        ("ru", False, "Попробуйте снова через 15 минут."),
        ("en", True, "Try again in 5 seconds."),
        ("ru", True, "Попробуйте снова через 5 секунд."),
    ],
)
def test_the_page_says_for_how_long(
    log_in: LogIn, language: str, is_busy: bool, words: str
) -> None:
    assert words in told(log_in, language, is_busy=is_busy, seconds=4.9 if is_busy else 899)


@pytest.mark.django_db
def test_only_a_login_is_refused(log_in: LogIn, client: Client) -> None:
    refusal = Refusal(is_busy=False, until=time.time() + 900, whole_address=True)
    remembered.remember(refusal, "anna", HOME)
    assert log_in().status_code == 429
    assert client.get("/admin/login/", REMOTE_ADDR=HOME).status_code == 200
    assert client.post("/i18n/setlang/", REMOTE_ADDR=HOME).status_code == 302


@pytest.mark.django_db
def test_nobody_is_locked_out_of_a_shell(operator: User) -> None:
    for _ in range(6):
        assert authenticate(username="anna", password="wrong") is None
    assert authenticate(username="anna", password="right") == operator
