"""The demo page in a real browser: what it shows is what the service did.

``SCREENSHOTS=docs/screenshots pytest tests/browser/test_demo.py`` keeps what it saw.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from amocrm.sandbox.server import RunningSandbox
from leads.delivery.attempt import deliver
from leads.models import Submission
from tests.browser.colours import contrast
from tests.browser.conftest import PATIENCE, Scheme
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDE, PHONE = 1280, 390
TEXTS = (
    ".intro h1 span, .intro p, nav a, .eyebrow, .progress label, .tiles label, .consent,"
    " .payments small, .switch span, .row span, .row a, .verdict, .message, .yours li,"
    " .yours code, .quiet, .primary"
)

Open = Callable[..., Page]


@pytest.fixture
def demo(chromium: Browser, live_server: LiveServer, settings: Settings) -> Iterator[Open]:
    """Open the demo: ``demo(language=, scheme=, width=)``. Nothing may have gone outside, been
    refused by the Content-Security-Policy or raised in a script."""
    settings.DEBUG = True
    settings.FORM_MIN_SECONDS = 0  # this visitor is quick
    wrong: list[str] = []
    contexts = []

    def open_page(*, language: str = "en", scheme: Scheme = "light", width: int = WIDE) -> Page:
        context = chromium.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            is_mobile=width < 600,
            has_touch=width < 600,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Policy" in said.text else None)
        page.on("request", lambda asked: wrong.append(asked.url) if outside(asked.url) else None)
        page.goto(f"{live_server.url}/?lang={language}")
        return page

    def outside(url: str) -> bool:
        return not url.startswith(live_server.url)

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def deliver_all(many: int) -> None:
    """Deliver so many submissions, all at once, as workers do."""
    wait_until(lambda: Submission.objects.count() == many, "they are stored")
    rows = Submission.objects.exclude(status=Submission.Status.DELIVERED)
    while left := list(rows.values_list("id", flat=True)):
        rows.update(next_attempt_at=timezone.now())
        with ThreadPoolExecutor(many) as pool:
            list(pool.map(_deliver, left))


def _deliver(submission_id: UUID) -> None:
    try:
        deliver(submission_id)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", WIDE), ("ru", "light", WIDE), ("ru", "dark", PHONE)],
)
def test_twice_at_once_is_one_lead_in_every_language_and_colour(
    demo: Open,
    sandbox: RunningSandbox,
    tmp_path: Path,
    language: str,
    scheme: Scheme,
    width: int,
) -> None:
    page = demo(language=language, scheme=scheme, width=width)
    page.locator("#try").click()
    deliver_all(2)
    expect(page.locator(".verdict:not(.landing-error)")).to_be_visible()
    state = sandbox.control.state()
    (lead,) = state["leads"]
    assert len(state["notes"]) == 2
    link = page.get_by_role("link", name=str(lead["id"]))
    expect(link).to_have_count(2)
    expect(link.first).to_have_attribute("href", f"{sandbox.url}/leads/detail/{lead['id']}")
    one, other = Submission.objects.all()
    for field in ("idempotency_key", "phone", "email", "source"):
        assert getattr(one, field) != getattr(other, field)
    assert one.email.lower() == other.email.lower()

    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    device = "wide" if width == WIDE else "phone"
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=folder / f"demo-{language}-{scheme}-{device}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for text in page.locator(TEXTS).filter(visible=True).all():
        assert contrast(text) >= 4.5, text.text_content()


def test_the_quiz_goes_step_by_step_and_its_answers_arrive(
    demo: Open, sandbox: RunningSandbox
) -> None:
    page = demo()
    expect(page.get_by_text("Question 1 of 5")).to_be_visible()
    page.get_by_label("Pictures and layouts").check()
    page.keyboard.press("Enter")
    page.get_by_label("Writing code").check()
    page.get_by_label("Spreadsheets").check()
    page.get_by_role("button", name="Next").click()
    for _ in range(3):
        page.get_by_role("button", name="Skip").click()
    quiz = page.locator("#proftest")
    expect(quiz.get_by_text("Almost done")).to_be_visible()
    quiz.get_by_label("Name").fill("Anna")
    quiz.get_by_label("Phone").fill("12")
    quiz.get_by_label("E-mail").fill("a@b")
    quiz.get_by_label("I agree").check()
    quiz.get_by_role("button", name="Get my result").click()
    expect(quiz.get_by_label("Phone")).to_be_focused()
    expect(page.locator("[data-state=failed]")).to_contain_text("not a valid")
    quiz.get_by_label("Phone").fill("+77011230104")
    quiz.get_by_label("E-mail").fill("anna@example.kz")
    quiz.get_by_role("button", name="Get my result").click()
    deliver_all(1)
    expect(quiz.get_by_text("Your result is on its way")).to_be_visible()
    expect(page.locator("[data-state=delivered]")).to_have_text(re.compile(r"Lead #\d+ created in"))
    answers = Submission.objects.get().answers["proftestAnswers"]
    assert [(one["questionNumber"], one["answer"]) for one in answers] == [
        (1, "Pictures and layouts"),
        (2, ["Spreadsheets", "Writing code"]),
    ]
    quiz.get_by_role("button", name="Take it again").click()
    expect(page.get_by_text("Question 1 of 5")).to_be_visible()
