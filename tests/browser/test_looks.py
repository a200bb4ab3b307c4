"""The page in its languages, colours, widths and states: nothing is cut off.

``SCREENSHOTS=docs/screenshots pytest tests/browser/test_looks.py`` keeps what it saw.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from amocrm.locks import history
from amocrm.locks.history import STREAM, Kind
from amocrm.locks.holder import Holder
from amocrm.redis_clients import history_client
from tests.browser.conftest import PATIENCE, Locks, Scheme, Visit
from tests.servers import RedisServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDE, PHONE = 1280, 390


def keep(page: Page, name: str, folder: Path) -> None:
    """Save what is seen, where asked for."""
    target = Path(os.environ.get("SCREENSHOTS") or folder)
    target.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target / f"locks-{name}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def an_hour_of_history() -> None:
    """Let the last hour have been a busy one."""
    client = history_client()
    now = timezone.now()
    for minutes in range(59, 0, -1):
        at = int((now - timedelta(minutes=minutes)).timestamp() * 1000)
        holder = Holder("web-1", 4711, "7d0c8f4e", now - timedelta(minutes=minutes), "0" * 16)
        entry = {
            "name": f"amocrm:lead:visitor{minutes}@onai.academy:7777{1112233 + minutes}",
            "holder": holder.encode(),
            "reference": "7d0c8f4e",
        }
        waited = 2000 if minutes % 13 == 0 else (minutes * 37) % 400
        held = 700 + (minutes * 91) % 900
        kind = Kind.BUSY if waited == 2000 else Kind.ACQUIRED
        client.xadd(STREAM, {**entry, "kind": kind, "waited_ms": waited}, id=f"{at}-0")  # type: ignore[dict-item]
        if kind is Kind.ACQUIRED:
            ended = {**entry, "kind": Kind.RELEASED, "held_ms": held}
            client.xadd(STREAM, ended, id=f"{at + held}-0")  # type: ignore[arg-type]


def fill(locks: Locks, many: int) -> None:
    """Put so many locks, the first of them in different states."""
    if not many:
        return
    locks.wait(locks.put())
    locks.put("aigerim@onai.academy:77015554433", state="orphan", ttl=21)
    locks.put("email:timur@onai.academy", state="overdue", ttl=44)
    value = locks.value("amocrm:lead:test@onai.academy:77771112233") or ""
    for at in range(many - 3):
        locks.redis.set(f"lock:amocrm:lead:p{at}@onai.academy:7701{5550000 + at}", value, ex=55)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(
    ("many", "width"), [(0, WIDE), (3, WIDE), (3, PHONE), (500, WIDE), (500, PHONE)]
)
def test_with_few_locks_or_many(
    visit: Visit,
    locks: Locks,
    operator: User,
    tmp_path: Path,
    many: int,
    width: int,
    language: str,
    scheme: Any,
) -> None:
    an_hour_of_history()
    fill(locks, many)
    page = visit(operator, language=language, scheme=scheme, width=width, height=1500)
    expect(page.locator("#lk-active")).to_have_text(str(many))
    expect(page.locator("#lk-status")).to_have_attribute("data-mode", "live")
    device = "wide" if width == WIDE else "phone"
    keep(page, f"{many}-{language}-{scheme}-{device}", tmp_path)


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", WIDE), ("ru", "dark", PHONE)]
)
def test_while_redis_is_stopped(
    visit: Visit,
    operator: User,
    redis_server: RedisServer,
    tmp_path: Path,
    language: str,
    scheme: Scheme,
    width: int,
) -> None:
    redis_server.stop()
    page = visit(operator, language=language, scheme=scheme, width=width, height=1100)
    expect(page.locator(".lk-critical")).to_be_visible()
    expect(page.locator("#lk-status")).to_have_attribute("data-mode", "live", timeout=PATIENCE)
    keep(page, f"stopped-{language}-{scheme}", tmp_path)


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "dark", WIDE), ("ru", "light", PHONE)]
)
def test_the_confirmation(
    visit: Visit,
    locks: Locks,
    operator: User,
    tmp_path: Path,
    language: str,
    scheme: Scheme,
    width: int,
) -> None:
    fill(locks, 3)
    page = visit(operator, language=language, scheme=scheme, width=width)
    page.locator("button[name=scope][value=all]").click()
    expect(page.get_by_role("alert")).to_be_visible()
    keep(page, f"confirm-{language}-{scheme}", tmp_path)


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("width", [WIDE, 1150, 1024, 800, PHONE])
def test_long_names_and_reasons_do_not_widen_the_page(
    visit: Visit, locks: Locks, operator: User, width: int, language: str
) -> None:
    fill(locks, 3)
    longest = f"{'a' * 64}@{'.'.join(['d' * 60] * 3)}.kz:77771112233"
    locks.put(longest, state="orphan")
    name = f"amocrm:lead:{longest}"
    history.record_cleared([(name, "h" * 300, 1000)], by="u" * 150, why="z" * 200)
    page = visit(operator, width=width, language=language)
    expect(page.locator(".lk-what", has_text="zzz")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator("button[name=scope][value=all]").click()
    expect(page.locator("#lk-reason")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
