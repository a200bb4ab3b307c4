"""The page in the admin, without a browser: permissions, confirmation, what is cleared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertRedirects
from pytest_django.fixtures import Settings

from amocrm.api import pause
from amocrm.locks import history
from amocrm.models import AccountState
from leads.models import Submission
from locks_admin.masking import Masker, pseudonym
from locks_admin.monitor import lock_status
from locks_admin.monitor.filters import ordered
from tests.locks_admin.conftest import PAGE, Locks
from tests.servers import RedisServer

CLEAR = f"{PAGE}clear/"
NAME = "amocrm:lead:test@onai.academy:77771112233"


def browser(user: User | None = None, *, csrf: bool = False, language: str = "en") -> Client:
    """A logged-in browser."""
    client = Client(enforce_csrf_checks=csrf, headers={"accept-language": language})
    if user is not None:
        client.force_login(user)
    return client


def token(locks: Locks, name: str) -> str:
    """What the table's form posts for a lock."""
    return f"{pseudonym(name)} {pseudonym(locks.value(name) or '')}"


def confirmed(*tokens: str, reason: str = "the worker died") -> dict[str, str]:
    """What the confirmation page posts."""
    return {"confirmed": "yes", "shown": "\n".join(tokens), "reason": reason}


def test_the_page_has_its_place_in_the_admin() -> None:
    assert reverse("admin:locks_admin_lock_changelist") == PAGE


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}live/"])
def test_anonymous_visitors_are_sent_to_the_login(db: None, path: str) -> None:
    answer = browser().get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}live/"])
def test_staff_without_permission_is_refused(stranger: User, path: str) -> None:
    assert browser(stranger).get(path).status_code == 403


@pytest.mark.parametrize("path", ["clear/", "resume/"])
def test_a_viewer_who_posts_is_refused_and_nothing_changes(
    locks: Locks, viewer: User, path: str
) -> None:
    locks.put()
    assert browser(viewer).post(PAGE + path, {"scope": "all"}).status_code == 403
    assert browser(viewer).post(PAGE + path, confirmed(token(locks, NAME))).status_code == 403
    assert locks.names() == {NAME}


@pytest.mark.parametrize("path", ["clear/", "resume/"])
def test_acting_needs_a_post_and_its_csrf_token(locks: Locks, operator: User, path: str) -> None:
    locks.put()
    # Without a form there is nothing to do, as after logging in again: back to the page.
    assertRedirects(browser(operator).get(PAGE + path), PAGE)
    answer = browser(operator, csrf=True).post(PAGE + path, confirmed(token(locks, NAME)))
    assert answer.status_code == 403
    assert locks.names() == {NAME}


def test_an_operator_sees_the_lock_its_holder_and_who_waits(locks: Locks, operator: User) -> None:
    locks.wait(locks.put())
    text = browser(operator).get(PAGE).content.decode()
    for part in ("test@onai.academy · +77771112233", "web-1", "pid 4711", "live", "Clear all"):
        assert part in text


def test_a_viewer_sees_masked_people_and_no_button(locks: Locks, viewer: User) -> None:
    name = locks.put()
    history.record(history.Kind.ACQUIRED, name, waited_ms=1)
    for path in (PAGE, f"{PAGE}live/", f"{PAGE}?of={pseudonym(name)}"):
        text = browser(viewer).get(path).content.decode()
        assert "te***@onai.academy · +7777***2233" in text
        assert "test@onai.academy" not in text
        assert "77771112233" not in text
        assert 'name="scope"' not in text
        assert 'name="only"' not in text


def test_markup_in_a_lock_is_shown_as_text(locks: Locks, operator: User) -> None:
    name = locks.put("<script>alert(1)</script>")
    locks.redis.set("lock:amocrm:lead:b", "<img src=x onerror=alert(2)>")
    history.record(history.Kind.CLEARED, name, by="<b>me</b>", why="<i>why</i>")
    client = browser(operator)
    pages = [client.get(PAGE), client.post(CLEAR, {"scope": "all"})]
    for answer in pages:
        text = answer.content.decode()
        assert "&lt;script&gt;alert(1)" in text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "<i>why" not in text


def test_nothing_is_cleared_before_the_confirmation(locks: Locks, operator: User) -> None:
    locks.put()
    answer = browser(operator).post(CLEAR, {"scope": "all"})
    assert answer.status_code == 200
    assert "A delivery is running; it will stop and be retried." in answer.content.decode()
    assert locks.names() == {NAME}


def test_an_orphan_is_confirmed_without_the_warning(locks: Locks, operator: User) -> None:
    locks.put(state="orphan")
    text = browser(operator).post(CLEAR, {"scope": "stale"}).content.decode()
    assert "Exactly this lock will be cleared" in text
    assert "A delivery is running" not in text


def test_a_confirmed_lock_is_cleared_and_remembered(locks: Locks, operator: User) -> None:
    other = locks.put("other@b.kz:7")
    locks.put()
    answer = browser(operator).post(CLEAR, confirmed(token(locks, NAME)), follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert "Cleared 1 lock." in answer.content.decode()
    assert locks.names() == {other}
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (operator, NAME)
    assert entry.get_change_message() == "the worker died"
    event = history.latest(1)[0]
    assert (event.kind, event.by, event.why) == ("cleared", "olga", "the worker died")


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_nothing_is_cleared(locks: Locks, operator: User, reason: str) -> None:
    locks.put()
    answer = browser(operator).post(CLEAR, confirmed(token(locks, NAME), reason=reason))
    assert "Say why" in answer.content.decode()
    assert locks.names() == {NAME}


def test_a_lock_that_changed_hands_is_left_and_reported(locks: Locks, operator: User) -> None:
    locks.put()
    shown = token(locks, NAME)
    locks.put()
    now = locks.value(NAME)
    answer = browser(operator).post(CLEAR, confirmed(shown), follow=True)
    assert "1 lock changed hands meanwhile and was left." in answer.content.decode()
    assert locks.value(NAME) == now
    assert not LogEntry.objects.exists()


def test_a_lock_that_is_gone_is_reported(locks: Locks, operator: User) -> None:
    locks.put()
    shown = token(locks, NAME)
    locks.redis.flushdb()
    answer = browser(operator).post(CLEAR, confirmed(shown), follow=True)
    assert "1 lock was gone already." in answer.content.decode()


def test_the_confirmation_lists_what_was_chosen_and_nothing_else(
    locks: Locks, operator: User
) -> None:
    chosen, changed = locks.put("chosen@b.kz:7"), locks.put("changed@b.kz:7")
    locks.put("other@b.kz:7")
    tokens = [token(locks, chosen), token(locks, changed), f"{pseudonym('amocrm:lead:gone')} x"]
    locks.put("changed@b.kz:7")
    answer = browser(operator).post(CLEAR, {"scope": "selected", "lock": tokens})
    text = answer.content.decode()
    assert "chosen@b.kz" in text
    assert "changed@b.kz" not in text
    assert "other@b.kz" not in text
    assert "1 chosen lock changed hands meanwhile" in text
    assert "1 chosen lock is gone already." in text
    assert answer.context["selection"].tokens == token(locks, chosen)


@pytest.mark.parametrize(
    ("scope", "goes"),
    [("all", {"live", "overdue", "orphan", "unknown"}), ("stale", {"overdue", "orphan"})],
)
def test_a_scope_clears_what_it_says(
    locks: Locks, operator: User, scope: str, goes: set[str]
) -> None:
    names = {
        state: locks.put(f"{state}@b.kz:7", state=state)
        for state in ("live", "overdue", "orphan", "unknown")
    }
    client = browser(operator)
    shown = client.post(CLEAR, {"scope": scope}).context["selection"].tokens
    client.post(CLEAR, {"confirmed": "yes", "shown": shown, "reason": "r"})
    assert locks.names() == {name for state, name in names.items() if state not in goes}


def test_nothing_is_reported_as_cleared_when_all_changed_hands(
    locks: Locks, operator: User
) -> None:
    shown = token(locks, locks.put())
    locks.put()
    answer = browser(operator).post(CLEAR, confirmed(shown), follow=True)
    text = answer.content.decode()
    assert "1 lock changed hands meanwhile and was left." in text
    assert "Cleared" not in text


def test_choosing_nothing_clears_nothing(locks: Locks, operator: User) -> None:
    locks.put()
    for form in ({}, {"scope": "selected"}, {"scope": "stale"}, {"scope": "nonsense"}):
        answer = browser(operator).post(CLEAR, form, follow=True)
        assert "nothing to clear" in answer.content.decode()
    assert locks.names() == {NAME}


def test_clearing_without_redis_says_so(
    locks: Locks, operator: User, redis_server: RedisServer
) -> None:
    redis_server.stop()
    answer = browser(operator).post(CLEAR, {"scope": "all"}, follow=True)
    assert "Redis does not answer, so nothing was cleared" in answer.content.decode()


@pytest.mark.parametrize("language", ["en", "ru"])
def test_without_redis_the_page_says_what_to_do(
    operator: User, redis_server: RedisServer, language: str
) -> None:
    redis_server.stop()
    text = browser(operator, language=language).get(PAGE).content.decode()
    assert {"en": "Redis not connected", "ru": "Redis не подключён"}[language] in text
    assert "sudo systemctl start redis" in text


def test_with_redis_disabled_the_page_says_how_to_enable_it(
    operator: User, settings: Settings
) -> None:
    settings.REDIS_ENABLED = False
    text = browser(operator).get(PAGE).content.decode()
    assert "sed -i" in text
    assert "Locks are switched off" in text


def test_a_pause_is_shown_with_its_reason_and_can_be_ended(
    operator: User, viewer: User, settings: Settings
) -> None:
    AccountState.objects.create(
        account=settings.AMOCRM_BASE_URL.removeprefix("http://"),
        paused_since=timezone.now(),
        pause_kind="token",
        pause_reason="the token is not valid",
        next_probe_at=timezone.now(),
    )
    assert "the token is not valid" in browser(operator).get(PAGE).content.decode()
    assert "Resume now" not in browser(viewer).get(PAGE).content.decode()
    browser(operator).post(f"{PAGE}resume/")
    assert pause.current() is None


@pytest.fixture
def no_listing(redis_server: RedisServer) -> Iterator[None]:
    """A Redis that answers, but lists no keys."""
    client = redis_server.client()
    client.acl_setuser("default", enabled=True, commands=["-scan"])
    yield
    client.acl_setuser("default", enabled=True, commands=["+scan"])


@pytest.mark.usefixtures("no_listing")
def test_a_list_that_cannot_be_read_is_not_called_empty(locks: Locks, operator: User) -> None:
    history.record(history.Kind.ACQUIRED, locks.put(), holder_id=locks.value(NAME) or "")
    text = browser(operator).get(PAGE).content.decode()
    assert "The locks cannot be listed" in text
    assert "Which locks there are cannot be told" in text
    assert "No locks now" not in text
    assert "expired" not in text
    told = browser().get("/api/admin/amocrm-locks/status").json()["message"]
    assert told.startswith("⚠️ Redis answers, but")


def test_a_time_that_no_clock_can_show_does_not_hide_the_others(
    locks: Locks, operator: User
) -> None:
    locks.put()
    value = "h/1/r/9999-12-31T23:59:59.000000Z/0123456789abcdef"
    locks.redis.set("lock:amocrm:lead:x@y.kz:7", value)
    text = browser(operator).get(PAGE).content.decode()
    assert "test@onai.academy" in text
    assert value[:30] in text


def test_a_phone_is_found_in_any_spelling(locks: Locks, operator: User, viewer: User) -> None:
    locks.put()
    locks.put("other@b.kz:77012223344")
    for spelling in ("+77771112233", "8 777 111 22 33", "+7 (777) 111-22-33", "777111"):
        text = browser(operator).get(PAGE, {"q": spelling}).content.decode()
        assert "test@onai.academy" in text
        assert "other@b.kz" not in text
    assert (
        "No lock matches." in browser(viewer).get(PAGE, {"q": "8 777 111 22 33"}).content.decode()
    )


def test_the_order_of_masked_people_tells_nothing(locks: Locks, viewer: User) -> None:
    values = {who: locks.value(locks.put(f"{who}@b.kz:77771112233")) for who in ("anna", "anya")}
    rows = lock_status.read()
    masker = Masker(full=False)
    shown = [row.holder_id for row in ordered(rows, "person", masker)]
    assert shown == [values["anna"], values["anya"]]
    assert [row.holder_id for row in ordered(rows[::-1], "person", masker)] == shown[::-1]


def test_whoever_comes_back_to_clearing_without_a_form_is_told(operator: User) -> None:
    text = browser(operator).get(CLEAR, follow=True).content.decode()
    assert "Nothing was cleared: choose again." in text


def test_the_page_is_divided_and_sorted(locks: Locks, operator: User) -> None:
    for at in range(120):
        locks.put(f"p{at:03}@b.kz:7", state="unknown")
    client = browser(operator)
    first = client.get(PAGE, {"sort": "person"}).content.decode()
    last = client.get(PAGE, {"sort": "person", "page": "3"}).content.decode()
    assert ("p000@" in first, "p119@" in first) == (True, False)
    assert ("p000@" in last, "p119@" in last) == (False, True)
    assert client.get(PAGE, {"page": "x", "sort": "y", "state": "z"}).status_code == 200


def test_a_filter_in_the_address_that_makes_no_sense_is_named(locks: Locks, operator: User) -> None:
    locks.put()
    text = browser(operator).get(PAGE, {"state": "dead"}).content.decode()
    assert "There is no state “dead”. Every lock is shown." in text
    assert "test@onai.academy" in text


def test_a_filter_says_how_many_it_shows(locks: Locks, operator: User) -> None:
    locks.put("orphan@b.kz:7", state="orphan")
    locks.put("live@b.kz:7")
    client = browser(operator)
    assert "locks are shown" not in client.get(PAGE).content.decode()
    for query in ({"stale": "true"}, {"q": "orphan@"}, {"state": "orphan"}):
        assert "1 of 2 locks are shown." in client.get(PAGE, query).content.decode()


def test_the_history_can_be_narrowed_to_one_person(operator: User, locks: Locks) -> None:
    for who in ("a", "c"):
        history.record(history.Kind.BUSY, f"amocrm:lead:{who}@b.kz:7", waited_ms=2000)
    client = browser(operator)
    for query in ({"who": "a@b"}, {"of": pseudonym("amocrm:lead:a@b.kz:7")}):
        text = client.get(PAGE, query).content.decode()
        assert "a@b.kz" in text
        assert "c@b.kz" not in text


def test_the_live_part_is_never_cached(operator: User) -> None:
    answer = browser(operator).get(f"{PAGE}live/")
    assert "no-store" in answer["Cache-Control"]
    assert "<html" not in answer.content.decode()


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}live/"])
def test_the_page_needs_no_inline_script_or_style(locks: Locks, operator: User, path: str) -> None:
    locks.put()
    history.record(history.Kind.ACQUIRED, NAME, waited_ms=1)
    answer = browser(operator).get(path)
    text = answer.content.decode()
    assert "'unsafe" not in answer["Content-Security-Policy"]
    assert "style=" not in text
    assert "<style" not in text
    assert "onclick=" not in text
    assert "<script>" not in text


def test_the_addresses_that_would_need_a_table_do_not_exist(operator: User) -> None:
    for path in ("add/", f"{NAME}/change/", f"{NAME}/delete/"):
        assert browser(operator).get(PAGE + path).status_code == 404


def test_operators_have_what_they_need_and_no_more(operators: Group) -> None:
    granted = {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in operators.permissions.all()
    }
    assert {
        "locks_admin.view_lock",
        "locks_admin.delete_lock",
        "leads.view_submission",
        "leads.change_submission",
        "amocrm.change_duplicatelead",
        "leads.view_refusedform",
        "leads.change_refusedform",
        "leads.change_landingform",
        "amocrm.change_mergeproposal",
        "amocrm.change_person",
        "amocrm.delete_ignoredidentity",
    } <= granted
    assert not [name for name in granted if name.startswith(("auth.", "authtoken."))]
    assert {name for name in granted if ".add_" in name} == {
        "amocrm.add_ignoredidentity",
        "leads.add_landingform",
        "leads.add_formfield",
    }


# A crowd ------------------------------------------------------------------------------------------


def test_in_a_crowd_the_page_says_how_far_it_is(operator: User, settings: Settings) -> None:
    def shown() -> str:
        return " ".join(browser(operator).get(f"{PAGE}live/").content.decode().split())

    assert "Many have come at once" not in shown()
    now = timezone.now()
    for number in range(12):
        Submission.objects.create(form_id="proftest", email=f"person{number}@mail.example")
    Submission.objects.filter(email__in=["person0@mail.example", "person1@mail.example"]).update(
        status=Submission.Status.DELIVERED, delivered_at=now
    )

    text = shown()

    assert "due <b>10</b>" in text
    assert "under way <b>0</b>" in text
    assert "delivered within a minute <b>2</b>" in text
    assert "(in 5 min 0 s)" in text
    assert "Each is sent alone (BURST=off)." in text
    settings.BURST = "auto"
    assert "the mirror of the contacts is still learning" in shown()
