"""A real Chromium against a real server: Debian's browser, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.locks_admin.conftest import (
    PAGE,
    Locks,
    locks,
    nothing_remembered,
    operator,
    operators,
    viewer,
)

__all__ = ["Locks", "locks", "nothing_remembered", "operator", "operators", "viewer"]

PATIENCE = 60_000
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

Scheme = Literal["light", "dark"]
Visit = Callable[..., Page]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser of this folder's tests."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    # Playwright keeps an event loop in this thread, which Django would take for async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    arguments = ["--disable-gpu", "--disable-dev-shm-usage"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def visit(chromium: Browser, live_server: LiveServer, locks: Locks) -> Iterator[Visit]:
    """Open the locks' page as somebody: ``visit(user, language=, scheme=, width=, query=)``.

    Afterwards nothing may have gone outside, been refused by the Content-Security-Policy or
    raised in a script.
    """
    wrong: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            wrong.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((live_server.url, "data:")):
            wrong.append(f"asked for {request.url}")

    def open_page(
        user: User | None,
        *,
        language: str = "en-US",
        scheme: Scheme = "light",
        width: int = 1280,
        height: int = 900,
        query: str = "",
    ) -> Page:
        context = chromium.new_context(
            locale=language,
            color_scheme=scheme,
            viewport={"width": width, "height": height},
            is_mobile=width < 600,
            has_touch=width < 600,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            session = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [
                    {
                        "name": settings.SESSION_COOKIE_NAME,
                        "value": session,
                        "url": live_server.url,
                    }
                ]
            )
        page = context.new_page()
        page.on("console", heard)
        page.on("request", asked)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        cache.clear()  # the chart that a last request of another test's page may have left
        page.goto(f"{live_server.url}{PAGE}{query}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
