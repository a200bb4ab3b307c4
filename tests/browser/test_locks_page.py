"""An operator at three in the morning."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from playwright.sync_api import Locator, Page, expect

from amocrm.locks import history
from tests.browser.colours import colour, contrast, ratio
from tests.browser.conftest import PATIENCE, Locks, Visit
from tests.servers import RedisServer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

expect.set_options(timeout=PATIENCE)


def row(page: Page, text: str) -> Locator:
    """The table's row of a lock."""
    return page.locator(".lk-locks tbody tr", has_text=text)


def refreshed(page: Page, times: int = 2) -> None:
    """Wait until the page has refreshed itself."""
    for _ in range(times):
        with page.expect_response(re.compile("/live/")):
            pass


def test_an_operator_logs_in_and_watches_a_lock_appear_and_vanish(
    visit: Visit, locks: Locks, operator: User
) -> None:
    operator.set_password("a password")
    operator.save()
    page = visit(None)
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill("a password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("No locks now")).to_be_visible()
    expect(page.locator("#lk-active")).to_have_text("0")

    name = locks.put()
    expect(row(page, "test@onai.academy")).to_be_visible()
    expect(row(page, "test@onai.academy")).to_contain_text("web-1")
    expect(page.locator("#lk-active")).to_have_text("1")

    locks.redis.delete(f"lock:{name}")
    expect(row(page, "test@onai.academy")).to_have_count(0)
    expect(page.locator("#lk-active")).to_have_text("0")


def test_a_stuck_lock_is_cleared_with_a_reason(visit: Visit, locks: Locks, operator: User) -> None:
    locks.put(state="orphan")
    kept = locks.put("other@b.kz:7")
    page = visit(operator)
    row(page, "test@onai.academy").get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="Clear locks?")).to_be_visible()
    expect(page.locator(".lk-table")).to_contain_text("test@onai.academy")
    expect(page.locator(".lk-table")).not_to_contain_text("other@b.kz")
    expect(page.locator(".lk-critical")).to_have_count(0)
    page.get_by_label("Why").fill("the worker was killed")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Cleared 1 lock.")).to_be_visible()
    expect(row(page, "test@onai.academy")).to_have_count(0)
    expect(page.locator(".lk-events")).to_contain_text("the worker was killed")
    assert locks.names() == {kept}


def test_clearing_a_live_lock_is_warned_about_in_red(
    visit: Visit, locks: Locks, operator: User
) -> None:
    name = locks.put()
    page = visit(operator)
    page.get_by_role("button", name=re.compile("^Clear all")).click()
    warning = page.get_by_role("alert")
    expect(warning).to_contain_text("A delivery is running; it will stop and be retried.")
    red, green, blue = colour(warning.locator("h2"), "color")
    assert red > 150
    assert red > 2 * max(green, blue)
    page.get_by_role("link", name="No, go back").click()
    expect(row(page, "test@onai.academy")).to_be_visible()
    assert locks.names() == {name}


def test_a_lock_that_expires_before_the_click_is_reported_as_gone(
    visit: Visit, locks: Locks, operator: User
) -> None:
    name = locks.put()
    page = visit(operator)
    page.get_by_role("button", name="Pause").click()
    locks.redis.delete(f"lock:{name}")
    row(page, "test@onai.academy").get_by_role("button", name="Clear").click()
    expect(page.get_by_text("1 lock was gone already.")).to_be_visible()


def test_a_lock_that_changes_hands_after_the_confirmation_is_left(
    visit: Visit, locks: Locks, operator: User
) -> None:
    name = locks.put(state="orphan")
    page = visit(operator)
    row(page, "test@onai.academy").get_by_role("button", name="Clear").click()
    page.get_by_label("Why").fill("stuck")
    locks.put()
    heir = locks.value(name)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("1 lock changed hands meanwhile and was left.")).to_be_visible()
    assert locks.value(name) == heir


def test_a_viewer_sees_no_clear_button_and_gets_403_on_the_post(
    visit: Visit, locks: Locks, viewer: User
) -> None:
    name = locks.put()
    page = visit(viewer)
    expect(row(page, "te***@onai.academy")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Clear"))).to_have_count(0)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    token = page.locator("#lk-clear [name=csrfmiddlewaretoken]").input_value()
    answer = page.request.post(
        page.url + "clear/",
        form={"scope": "all", "csrfmiddlewaretoken": token},
        headers={"Referer": page.url},
    )
    assert answer.status == 403
    assert locks.names() == {name}


def test_markup_in_a_lock_is_shown_as_text_also_after_a_refresh(
    visit: Visit, locks: Locks, operator: User
) -> None:
    markup = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    locks.put(markup)
    page = visit(operator)
    expect(row(page, markup)).to_be_visible()
    refreshed(page)
    expect(row(page, markup)).to_be_visible()
    expect(page.locator(".lk-locks img")).to_have_count(0)
    expect(page).to_have_title(re.compile("Locks"))
    row(page, markup).get_by_role("button", name="Clear").click()
    expect(page.locator(".lk-table")).to_contain_text(markup)
    expect(page).to_have_title(re.compile("Clear locks"))


def test_a_refresh_keeps_selection_focus_typing_and_scroll(
    visit: Visit, locks: Locks, operator: User
) -> None:
    for at in range(40):
        locks.put(f"p{at:02}@b.kz:7", state="unknown")
    page = visit(operator, query="?sort=person")
    row(page, "p30@").get_by_role("checkbox").check()
    row(page, "p35@").get_by_role("checkbox").check()
    row(page, "p30@").get_by_role("button").focus()
    page.locator("#lk-q").evaluate("input => { input.value = 'half a wo' }")
    page.evaluate("scrollTo(0, 1500)")
    before = page.evaluate("scrollY")
    top = row(page, "p30@").bounding_box()
    locks.put("p05a@b.kz:7", state="unknown")
    locks.put("zzz@b.kz:7", state="unknown")
    locks.redis.delete("lock:amocrm:lead:p35@b.kz:7")
    expect(page.locator("#lk-active")).to_have_text("41")
    refreshed(page, 1)
    expect(row(page, "p30@").get_by_role("checkbox")).to_be_checked()
    expect(page.locator("input[name=lock]:checked")).to_have_count(1)
    expect(page.get_by_role("button", name="Clear selected")).to_contain_text("(1)")
    expect(row(page, "p30@").get_by_role("button")).to_be_focused()
    expect(page.locator("#lk-q")).to_have_value("half a wo")
    after = row(page, "p30@").bounding_box()
    assert top is not None
    assert after is not None
    assert abs(page.evaluate("scrollY") - before) < 120
    assert abs(after["y"] - top["y"]) < 120


def test_a_selection_outlives_a_moment_without_redis(
    visit: Visit, locks: Locks, operator: User, redis_server: RedisServer
) -> None:
    locks.put("a@b.kz:7")
    locks.put("c@b.kz:7")
    page = visit(operator)
    row(page, "c@b.kz").get_by_role("checkbox").check()
    redis_server.pause()
    expect(page.get_by_role("heading", name="Redis not connected")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    redis_server.resume()
    expect(row(page, "c@b.kz").get_by_role("checkbox")).to_be_checked()
    expect(row(page, "a@b.kz").get_by_role("checkbox")).not_to_be_checked()
    expect(page.get_by_role("button", name="Clear selected")).to_contain_text("(1)")


def test_a_selection_follows_its_row_to_another_page(
    visit: Visit, locks: Locks, operator: User
) -> None:
    for at in range(50):
        locks.put(f"p{at:02}@b.kz:7", state="orphan")
    page = visit(operator, query="?sort=person")
    row(page, "p10@").get_by_role("checkbox").check()
    row(page, "p49@").get_by_role("checkbox").check()
    locks.put("a@b.kz:7", state="orphan")
    expect(row(page, "p49@")).to_have_count(0)
    expect(page.get_by_role("button", name="Clear selected")).to_contain_text("(2)")
    page.get_by_role("button", name="Clear selected").click()
    page.get_by_label("Why").fill("stuck")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Cleared 2 locks.")).to_be_visible()
    assert len(locks.names()) == 49
    assert not {name for name in locks.names() if "p10@" in name or "p49@" in name}


def test_who_logs_in_again_in_another_tab_can_go_on_in_this_one(
    visit: Visit, locks: Locks, operator: User
) -> None:
    operator.set_password("a password")
    operator.save()
    locks.put(state="orphan")
    page = visit(operator)
    refreshed(page, 1)
    Session.objects.all().delete()
    expect(page.locator("#lk-status")).to_contain_text("You were logged out")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Username").fill("olga")
    other.get_by_label("Password").fill("a password")
    other.get_by_role("button", name="Log in").click()
    expect(page.locator("#lk-status")).to_contain_text("Live")
    row(page, "test@onai.academy").get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="Clear locks?")).to_be_visible()


def test_searching_locks_and_history_leaves_the_other_search_alone(
    visit: Visit, locks: Locks, operator: User
) -> None:
    for who in ("anna@b.kz:7", "olga@b.kz:7"):
        history.record(history.Kind.BUSY, locks.put(who), waited_ms=2000)
    page = visit(operator, query="?sort=left&state=live")
    events = page.locator(".lk-events")
    page.get_by_label("Person").fill("anna")
    page.get_by_role("button", name="Apply the filter").click()
    page.get_by_label("Search locks").fill("olga")
    page.get_by_role("button", name="Search").click()
    expect(row(page, "anna")).to_have_count(0)
    expect(events).to_contain_text("anna@b.kz")
    expect(events).not_to_contain_text("olga@b.kz")
    page.get_by_role("link", name="Everybody").click()
    expect(events).to_contain_text("olga@b.kz")
    expect(row(page, "anna")).to_have_count(0)
    page.get_by_role("link", name="Forget the filter").click()
    expect(row(page, "anna")).to_be_visible()
    assert page.url.endswith("?sort=left")


def test_several_selected_locks_are_cleared_and_the_others_stay(
    visit: Visit, locks: Locks, operator: User
) -> None:
    names = [locks.put(f"p{at}@b.kz:7", state="orphan") for at in range(4)]
    page = visit(operator)
    expect(page.get_by_role("button", name="Clear selected")).to_be_disabled()
    for who in ("p1@", "p3@"):
        row(page, who).get_by_role("checkbox").check()
    page.get_by_role("button", name="Clear selected").click()
    page.get_by_label("Why").fill("stuck")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Cleared 2 locks.")).to_be_visible()
    assert locks.names() == {names[0], names[2]}


def test_pausing_stops_the_refresh_and_going_on_resumes_it(
    visit: Visit, locks: Locks, operator: User
) -> None:
    page = visit(operator)
    refreshed(page, 1)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#lk-status")).to_contain_text("Paused")
    locks.put()
    page.wait_for_timeout(5_000)
    expect(row(page, "test@onai.academy")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(row(page, "test@onai.academy")).to_be_visible()
    expect(page.locator("#lk-status")).to_contain_text("Live")


def test_a_lost_connection_is_told_and_its_return_too(
    visit: Visit, locks: Locks, operator: User
) -> None:
    locks.put()
    page = visit(operator)
    refreshed(page, 1)
    page.route("**/live/**", lambda route: route.abort())
    expect(page.locator("#lk-status")).to_contain_text("No connection to the service")
    expect(row(page, "test@onai.academy")).to_be_visible()
    page.unroute("**/live/**")
    expect(page.locator("#lk-status")).to_contain_text("Live: refreshed at")


def test_a_lost_session_is_told(visit: Visit, operator: User) -> None:
    page = visit(operator)
    refreshed(page, 1)
    Session.objects.all().delete()
    expect(page.locator("#lk-status")).to_contain_text("You were logged out")


def test_a_stopped_redis_is_explained_and_its_return_noticed(
    visit: Visit, locks: Locks, operator: User, redis_server: RedisServer
) -> None:
    locks.put()
    page = visit(operator)
    expect(row(page, "test@onai.academy")).to_be_visible()
    redis_server.stop()
    expect(page.get_by_role("heading", name="Redis not connected")).to_be_visible()
    expect(page.get_by_text("sudo systemctl start redis")).to_be_visible()
    redis_server.start()
    expect(page.get_by_role("heading", name="Redis not connected")).to_have_count(0)
    expect(page.get_by_text("No locks now")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground_in_both_colour_schemes(
    visit: Visit, locks: Locks, operator: User, scheme: Any
) -> None:
    for state in ("live", "overdue", "orphan", "unknown"):
        locks.put(f"{state}@b.kz:7", state=state)
    history.record(history.Kind.ACQUIRED, "amocrm:lead:live@b.kz:7", waited_ms=40)
    page = visit(operator, scheme=scheme)
    dark = sum(colour(page.locator("body"), "background-color")) < 200
    assert dark == (scheme == "dark")
    for selector in (
        ".lk-state-live",
        ".lk-state-overdue",
        ".lk-state-orphan",
        ".lk-state-unknown",
        ".lk-alert h2",
        ".lk-alert p",
        ".lk-tile dd",
        ".lk-event",
        ".lk-status",
    ):
        for found in page.locator(selector).all():
            assert contrast(found) >= 4.5, selector
    bar, ground = page.locator(".lk-average").first, page.locator(".lk-chart svg").first
    assert ratio(colour(bar, "fill"), colour(ground, "background-color")) >= 3


def test_on_a_narrow_phone_nothing_is_cut_off_and_buttons_can_be_hit(
    visit: Visit, locks: Locks, operator: User
) -> None:
    locks.put("a.person.with.quite.a.long.address@some.department.onai.academy:77771112233")
    history.record(history.Kind.BUSY, "amocrm:lead:a@b.kz:7", waited_ms=2000)
    page = visit(operator, width=360, height=740)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    button = row(page, "a.person").get_by_role("button", name="Clear")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert box["x"] + box["width"] <= 360
    page.get_by_text("Select all on this page").tap()
    expect(page.get_by_role("button", name="Clear selected")).to_contain_text("(1)")
    page.locator(".lk-locks").get_by_role("link", name="Time left").tap()
    expect(page).to_have_url(re.compile("sort=-left"))
    button.tap()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_lock_is_cleared_by_keyboard_alone(visit: Visit, locks: Locks, operator: User) -> None:
    locks.put(state="orphan")
    kept = locks.put("zz@b.kz:7")
    page = visit(operator, query="?sort=person")
    press_until(page, lambda: focused(page, "input[name=lock]"))
    page.keyboard.press("Space")
    press_until(page, lambda: focused(page, "#lk-clear-selected"), key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Why")).to_be_focused()
    page.keyboard.type("stuck")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Cleared 1 lock.")).to_be_visible()
    assert locks.names() == {kept}


def test_the_page_speaks_russian(visit: Visit, locks: Locks, operator: User) -> None:
    locks.put()
    page = visit(operator, language="ru-RU")
    expect(page.get_by_role("heading", name="Активные блокировки")).to_be_visible()
    expect(page.locator("#lk-status")).to_contain_text("Обновляется само")
    row(page, "test@onai.academy").get_by_role("button", name="Снять").click()
    expect(page.get_by_text("Идёт доставка; она остановится").first).to_be_visible()


# --- looking at the focus ------------------------------------------------------------------------


def focused(page: Page, selector: str) -> bool:
    """Whether the focus is on such an element."""
    return bool(page.evaluate("selector => document.activeElement.matches(selector)", selector))


def press_until(page: Page, reached: Callable[[], bool], key: str = "Tab") -> None:
    """Press a key until the focus is where it shall be."""
    for _ in range(80):
        if reached():
            return
        page.keyboard.press(key)
    pytest.fail(f"{key} never gets there")
