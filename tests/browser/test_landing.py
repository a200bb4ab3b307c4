"""landing.js on a page of another origin, in a real browser, against the real API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from leads.api.throttles import LandingThrottle
from leads.models import Submission
from tests.browser.conftest import PATIENCE
from tests.browser.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ENDPOINT = re.compile("/api/landing/f/")
BLOCKED = """
for (const area of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, area, { get() { throw new DOMException("", "SecurityError"); } });
"""
EXPRESS = """
  <form data-landing="express" method="post" action="{action}">
    <label>Name <input name="name" value="Анна"></label>
    <label>Phone <input name="phone" value="+77011230104" aria-describedby="hint"></label>
    <span id="hint">With the country code</span>
    <input type="hidden" name="_next" value="{home}/thanks?a=b">
    <button>Send</button>
    <button name="paymentMethod" value="kaspi">Kaspi</button>
  </form>
"""
PROFTEST = """
  <form data-landing="proftest" data-thanks="See you soon" data-sending="Wait">
    <input name="name" value="Анна" aria-label="Name">
    <input name="email" value="anna@example.kz" aria-label="E-mail">
    <input name="password" type="password" value="a secret">
    <input name="source" type="hidden" value="proftest_main">
    <input name="utm_campaign" type="hidden" value="autumn">
    <input name="product" type="hidden" value="course 7">
    <label>City <span aria-hidden="true">*</span>:
      <select name="city"><option value="">choose</option><option selected>Almaty</option></select>
    </label>
    <fieldset><legend>Free on</legend>
      <label><input type="checkbox" name="days" checked> Monday</label>
      <label><input type="checkbox" name="days" value="tue" checked> Tuesday</label>
    </fieldset>
    <label><input type="checkbox" name="call" checked> You may call me</label>
    <fieldset data-question><legend>Not answered</legend><input name="q1"></fieldset>
    <fieldset data-question><legend>What do you like more?</legend>
      <input type="hidden" name="proftestAnswers[1][question]" value="What do you like more?">
      <label><input type="radio" name="q2" value="Numbers"> Numbers</label>
      <label><input type="radio" name="q2" value="People" checked> People</label>
    </fieldset>
    <label><input type="checkbox" name="consent" checked> I agree to be called</label>
    <button>Send</button>
    <p data-landing-message></p>
  </form>
"""

Open = Callable[..., Page]


@pytest.fixture
def pages(live_server: LiveServer, settings: Settings) -> Iterator[Pages]:
    """A site of its own whose pages may post to the service and read the answers."""
    with Pages() as site:
        settings.CORS_ALLOWED_ORIGINS = settings.LANDING_ALLOWED_ORIGINS = [site.url]
        settings.FORM_MIN_SECONDS = 0  # these visitors are quick
        script = f'<script src="{live_server.url}/static/leads/landing.js" defer></script>'
        form = EXPRESS.format(home=site.url, action=f"{live_server.url}/api/landing/f/express")
        site.put("/express", script + form)
        site.put("/proftest", script * 2 + PROFTEST + PROFTEST.replace("Анна", "Дана"))
        site.put("/thanks", "<h1>Thank you</h1>")
        site.put("/about", script)
        yield site


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A visitor's browser; no script of a page may raise."""
    context = chromium.new_context(locale="en-US")
    context.set_default_timeout(PATIENCE)
    raised: list[str] = []
    context.on("weberror", lambda error: raised.append(str(error.error)))
    yield context
    context.close()
    assert raised == []


def the_submission() -> dict[str, Any]:
    """The only one there is."""
    return dict(Submission.objects.values().get())


def test_a_page_of_another_site_sends_what_was_typed_once(
    context: BrowserContext, pages: Pages
) -> None:
    page = context.new_page()
    page.goto(f"{pages.url}/proftest?utm_source=google&utm_campaign=old&gclid=g1&other=1#top")
    page.evaluate(
        """() => { window.told = [];
        addEventListener("landing:accepted", (event) => told.push(event.detail)); }"""
    )
    form = page.locator("form").first
    form.get_by_label("Name").fill("Анна К")
    form.get_by_role("button").evaluate(
        "button => { button.click(); button.click(); button.form.requestSubmit(); }"
    )
    expect(form.locator("[data-landing-message]")).to_have_text("See you soon")
    expect(form.locator("[data-landing-message]")).to_have_attribute("role", "status")
    expect(form.get_by_role("button")).to_be_enabled()
    expect(form.get_by_label("Name")).to_have_value("Анна")
    sent = the_submission()
    assert (sent["form_id"], sent["name"], sent["email"]) == (
        "proftest",
        "Анна К",
        "anna@example.kz",
    )
    assert sent["source"] == "proftest_main"
    assert sent["utm"] == {"utm_source": "google", "utm_campaign": "autumn", "gclid": "g1"}
    assert sent["answers"] == {
        "answers": {
            "product": "course 7",
            "City": "Almaty",
            "Free on": ["Monday", "tue"],
            "You may call me": True,
        },
        "proftestAnswers": [
            {"questionNumber": 2, "question": "What do you like more?", "answer": "People"}
        ],
    }
    assert sent["metadata"] == {
        "page": f"{pages.url}/proftest?utm_source=google&utm_campaign=old&gclid=g1&other=1",
        "referrer": "",
        "language": "en",
    }
    told = page.evaluate("told")
    assert [answer["leadId"] for answer in told] == [str(sent["id"])]

    # The other form of the page is another submission; the page may do the rest by itself.
    page.evaluate('addEventListener("landing:accepted", (event) => event.preventDefault())')
    page.locator("form").nth(1).get_by_role("button").click()
    page.wait_for_function("told.length === 2")
    expect(page.get_by_text("See you soon")).to_have_count(1)
    assert set(Submission.objects.values_list("name", flat=True)) == {"Анна К", "Дана"}


def test_the_body_has_a_trap_the_time_and_the_consent(
    context: BrowserContext, pages: Pages
) -> None:
    page = context.new_page()
    page.clock.install()
    page.goto(f"{pages.url}/proftest?utm_source=a")
    trap = page.locator("[name=_gotcha]").first
    expect(trap).to_have_attribute("tabindex", "-1")
    expect(trap).to_have_attribute("autocomplete", "off")
    assert trap.evaluate("node => Boolean(node.closest('[aria-hidden=true]'))")
    box = trap.evaluate("node => node.parentElement.getBoundingClientRect().width")
    assert box <= 1
    expect(page.locator("[name=_gotcha]")).to_have_count(2)  # one a form, though two scripts
    # The page draws the form anew, as frameworks do.
    page.clock.fast_forward(5_000)
    page.evaluate(f"document.body.innerHTML = {json.dumps(PROFTEST)}")
    form = page.locator("form")
    expect(form.locator("[name=_gotcha]")).to_have_count(1)
    form.evaluate("form => { form.dataset.next = 'javascript:document.title=`taken`'; }")
    with page.expect_request(ENDPOINT) as asked:
        form.get_by_role("button").click()
    body: Any = asked.value.post_data_json
    assert body["_gotcha"] == ""
    assert body["_elapsed"] >= 5_000
    assert body["consent"].pop("at") > "2026"
    assert body["consent"] == {"text": "I agree to be called", "page": f"{pages.url}/proftest"}
    assert "secret" not in str(body)
    expect(page.get_by_text("See you soon")).to_be_visible()
    expect(page).to_have_title("")


def test_names_of_other_pages_are_known_as_without_javascript(
    context: BrowserContext, pages: Pages
) -> None:
    others = PROFTEST.replace('name="name"', 'name="Name"').replace('name="email"', 'name="E-mail"')
    page = context.new_page()
    page.goto(f"{pages.url}/proftest")
    page.evaluate(f"document.body.innerHTML = {json.dumps(others)}")
    page.get_by_role("button").click()
    expect(page.get_by_text("See you soon")).to_be_visible()
    sent = the_submission()
    assert (sent["name"], sent["email"]) == ("Анна", "anna@example.kz")
    assert sent["answers"]["answers"]["City"] == "Almaty"


@pytest.mark.parametrize("trouble", ["lost", "silence", "a 503, and no storage"])
def test_what_met_no_answer_is_sent_again_with_the_same_key(
    context: BrowserContext, pages: Pages, trouble: str
) -> None:
    if trouble == "a 503, and no storage":
        context.add_init_script(BLOCKED)
    page = context.new_page()
    page.clock.install()
    seen: list[Request] = []

    def lose_the_first(route: Route) -> None:
        seen.append(route.request)
        if len(seen) > 1:
            route.continue_()
            return
        route.fetch()
        if trouble == "lost":
            route.abort()
        elif trouble != "silence":
            route.fulfill(status=503, headers={"Access-Control-Allow-Origin": "*"})

    page.route(ENDPOINT, lose_the_first)
    page.goto(f"{pages.url}/express?utm_source=a")
    with page.expect_request(ENDPOINT):
        page.get_by_role("button", name="Kaspi").click()
    if trouble == "silence":
        page.clock.fast_forward(21_000)
    expect(page.get_by_role("status")).to_have_text(re.compile("sending again"))
    page.clock.fast_forward(2_000)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert page.url == f"{pages.url}/thanks?a=b"
    first, again = (
        (one.headers["idempotency-key"], one.post_data) for one in seen if one.method == "POST"
    )
    assert first == again
    sent = the_submission()
    assert (sent["payment_method"], sent["utm"]) == ("kaspi", {"utm_source": "a"})


def test_who_sends_the_same_again_after_a_reload_is_the_same_submission(
    context: BrowserContext, pages: Pages
) -> None:
    page = context.new_page()
    keys: list[str] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    def send(name: str) -> str:
        page.goto(f"{pages.url}/express")
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("status")).to_have_text(re.compile("sending again"))
        return keys[-1]

    page.route(ENDPOINT, lose)
    assert send("Анна") == send("Анна") != send("Дана")
    assert sorted(Submission.objects.values_list("name", flat=True)) == ["Анна", "Дана"]


def test_what_was_answered_with_a_refusal_is_sent_with_another_key(
    context: BrowserContext, pages: Pages
) -> None:
    page = context.new_page()
    keys: list[str] = []

    def refuse_the_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            headers = {"Access-Control-Allow-Origin": "*"}
            route.fulfill(status=422, headers=headers, json={"error": "Used already."})
        else:
            route.continue_()

    page.route(ENDPOINT, refuse_the_first)
    page.goto(f"{pages.url}/express")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_have_text("Used already.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert len(set(keys)) == 2


def test_errors_stand_at_their_fields_until_they_are_mended(
    context: BrowserContext, pages: Pages
) -> None:
    page = context.new_page()
    page.goto(f"{pages.url}/express")
    phone = page.get_by_label("Phone")
    phone.fill("12")
    page.get_by_role("button", name="Send").click()
    expect(phone).to_have_attribute("aria-invalid", "true")
    expect(phone).to_be_focused()
    expect(phone).to_have_accessible_description(
        re.compile("With the country code .*not a valid phone number")
    )
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    phone.fill("+77011230105")
    expect(phone).not_to_have_attribute("aria-invalid", "true")
    expect(phone).to_have_accessible_description("With the country code")
    expect(page.locator("[data-landing-error]")).to_have_count(0)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert the_submission()["phone"] == "+77011230105"


def test_a_limit_is_waited_for_as_long_as_it_says(
    context: BrowserContext, pages: Pages, settings: Settings
) -> None:
    LandingThrottle.cache.clear()
    settings.LANDING_THROTTLE = "1/min"
    page = context.new_page()
    posts: list[Request] = []
    page.on("request", lambda asked: posts.append(asked) if asked.method == "POST" else None)
    page.clock.install()
    page.goto(f"{pages.url}/proftest")
    form = page.locator("form")
    form.first.get_by_role("button").click()
    expect(page.get_by_text("See you soon")).to_be_visible()
    button = form.nth(1).get_by_role("button")
    expect(button).to_have_text("Send")
    button.click()
    expect(page.get_by_role("status")).to_have_text(
        ["See you soon", re.compile("keep this page open")]
    )
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_have_text("Wait")
    page.clock.fast_forward(20_000)
    page.evaluate("fetch('/about')")  # a request that would come after another try
    assert len(posts) == 2
    settings.LANDING_THROTTLE = "1000/min"
    page.clock.fast_forward(45_000)
    expect(page.get_by_text("See you soon")).to_have_count(2)
    expect(button).to_have_text("Send")
    expect(button).to_be_focused()
    assert len(posts) == 3
    assert Submission.objects.count() == 2


def test_marks_are_kept_for_a_later_visit_and_for_thirty_days(
    context: BrowserContext, pages: Pages
) -> None:
    page = context.new_page()
    page.goto(f"{pages.url}/about?utm_source=google&YCLID=y1")
    page.goto(f"{pages.url}/about")
    sent = []
    for days in (29, 31):
        later = context.new_page()
        later.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=days))
        later.goto(f"{pages.url}/express")
        later.get_by_role("button", name="Send").click()
        expect(later.get_by_role("heading", name="Thank you")).to_be_visible()
        sent.append(the_submission()["utm"])
        Submission.objects.all().delete()
    assert sent == [{"utm_source": "google", "yclid": "y1"}, {}]


def test_without_javascript_the_form_is_posted_and_leads_on(
    chromium: Browser, pages: Pages
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{pages.url}/express")
    page.get_by_role("button", name="Kaspi").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert page.url == f"{pages.url}/thanks?a=b"
    context.close()
    sent = the_submission()
    assert (sent["name"], sent["payment_method"]) == ("Анна", "kaspi")
