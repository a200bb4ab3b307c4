"""People who log in, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client

from config.login import remembered

LOGIN = "/admin/login/"
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.8"

LogIn = Callable[..., Any]


@pytest.fixture(autouse=True)
def _nobody_is_remembered() -> Iterator[None]:
    yield
    remembered.forget()


@pytest.fixture
def operator() -> User:
    """Somebody who may log in, with the password ``right``."""
    return User.objects.create_user("anna", password="right", is_staff=True)


@pytest.fixture
def log_in(client: Client) -> LogIn:
    """Post the form, by default with the right password, from ``HOME``."""

    def post(name: str = "anna", password: str = "right", at: str = HOME, **headers: str) -> Any:
        form = {"username": name, "password": password, "next": "/admin/"}
        return client.post(LOGIN, form, REMOTE_ADDR=at, headers=headers)

    return post


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed since."""
    found: list[str] = []
    encode = MD5PasswordHasher.encode

    def noted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        found.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", noted)
    return found
