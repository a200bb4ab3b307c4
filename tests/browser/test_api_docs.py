"""The API's page in Chromium: nothing refused by the policy, readable everywhere."""

from __future__ import annotations

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import Scheme, Visit

pytestmark = [pytest.mark.browser, pytest.mark.needs_redis]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_page_of_the_api_is_readable_and_a_form_can_be_tried(
    visit: Visit, live_server: LiveServer, scheme: Scheme, width: int
) -> None:
    page = visit(None, scheme=scheme, width=width)
    page.goto(f"{live_server.url}/api/docs")
    proftest = page.locator("#operations-Forms-landing_proftest_create")
    proftest.locator(".opblock-summary-control").click()
    proftest.get_by_role("button", name="Try it out").click()
    proftest.get_by_role("button", name="Execute").click()
    status = proftest.locator(".live-responses-table .response-col_status").last
    status.wait_for()
    assert status.inner_text().split()[0] == "202"
    assert page.locator(".opblock").count() == 11
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    text = page.evaluate("getComputedStyle(document.querySelector('.opblock-body p')).color")
    assert (brightness(ground) < 100) == (brightness(text) > 100) == (scheme == "dark")


def brightness(color: str) -> float:
    """From 0 to 255; nothing painted is the white of the sheet."""
    red, green, blue, *alpha = map(float, color.partition("(")[2].rstrip(")").split(","))
    return 255 if alpha == [0] else (red + green + blue) / 3
