"""The JSON endpoints: exact keys, exact codes, and nobody else's business."""

from __future__ import annotations

from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from pytest_django.fixtures import Settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from amocrm.locks import clearing, history
from tests.locks_admin.conftest import LIST, Locks, person
from tests.servers import RedisServer

NAME = "amocrm:lead:test@onai.academy:77771112233"
ITEM_KEYS = {
    "key",
    "ttl_ms",
    "ttl_seconds",
    "expires_in",
    "owner",
    "holder_id",
    "held_ms",
    "state",
    "waiting",
}


def client(user: User | None = None) -> APIClient:
    """A client with the user's token, as curl would come."""
    api = APIClient()
    if user is not None:
        api.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.get_or_create(user=user)[0].key}")
    return api


# --- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "delete"])
def test_without_a_token_the_answer_says_how_to_get_one(locks: Locks, method: str) -> None:
    locks.put()
    answer = getattr(client(), method)(LIST)
    assert answer.status_code == 401
    assert "drf_create_token" in answer.json()["error"]
    assert answer.json()["success"] is False
    assert locks.names() == {NAME}


def test_a_wrong_token_is_a_401_too(db: None) -> None:
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION="Token nonsense")
    assert api.get(LIST).status_code == 401


@pytest.mark.parametrize(
    ("method", "url"), [("get", LIST), ("delete", LIST), ("delete", f"{LIST}/{NAME}")]
)
def test_staff_without_permission_is_refused_and_nothing_changes(
    locks: Locks, stranger: User, method: str, url: str
) -> None:
    locks.put()
    assert getattr(client(stranger), method)(url).status_code == 403
    assert locks.names() == {NAME}


def test_permission_without_staff_is_not_enough(locks: Locks) -> None:
    outsider = person("out", "locks_admin.view_lock", "locks_admin.delete_lock", staff=False)
    locks.put()
    assert client(outsider).get(LIST).status_code == 403
    assert client(outsider).delete(LIST).status_code == 403
    assert locks.names() == {NAME}


def test_a_viewer_sees_masked_people_and_cannot_clear(locks: Locks, viewer: User) -> None:
    locks.put()
    body = client(viewer).get(LIST)
    assert body.json()["locks"]["items"][0]["key"] == "amocrm:lead:te***@onai.academy:7777***2233"
    assert "test@onai" not in body.content.decode()
    assert client(viewer).delete(LIST).status_code == 403
    assert client(viewer).delete(f"{LIST}/{NAME}").status_code == 403
    assert locks.names() == {NAME}


def test_a_session_may_look_but_clears_only_with_its_csrf_token(
    locks: Locks, operator: User
) -> None:
    locks.put()
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(operator)
    assert api.get(LIST).status_code == 200
    assert api.delete(LIST).status_code == 403
    assert locks.names() == {NAME}


# --- listing -------------------------------------------------------------------------------------


def test_the_list_has_the_documented_keys(locks: Locks, operator: User) -> None:
    name = locks.put(ttl=28)
    locks.wait(name)
    body = client(operator).get(LIST).json()
    assert set(body) == {"success", "redis", "locks", "timestamp"}
    assert body["success"] is True
    assert body["redis"] == {"connected": True, "available": True}
    assert body["locks"]["count"] == 1
    (item,) = body["locks"]["items"]
    assert set(item) == ITEM_KEYS
    assert item["key"] == NAME
    assert 26_000 < item["ttl_ms"] <= 28_000
    assert item["expires_in"] == f"{item['ttl_seconds']}s"
    assert item["ttl_seconds"] in {27, 28}
    assert set(item["owner"]) == {"host", "pid", "submission", "acquired_at"}
    assert (item["owner"]["host"], item["owner"]["pid"]) == ("web-1", 4711)
    assert item["holder_id"] == locks.value(name)
    assert item["held_ms"] >= 12_000
    assert (item["state"], item["waiting"]) == ("live", 1)


def test_a_foreign_value_has_no_owner_and_a_lock_without_end_says_never(
    locks: Locks, operator: User
) -> None:
    locks.put(state="unknown", ttl=None)
    (item,) = client(operator).get(LIST).json()["locks"]["items"]
    assert item["owner"] is None
    assert (item["ttl_ms"], item["ttl_seconds"], item["expires_in"]) == (None, None, "never")
    assert (item["held_ms"], item["state"]) == (None, "unknown")


def test_without_redis_the_list_is_a_503_of_the_same_shape(
    operator: User, redis_server: RedisServer
) -> None:
    redis_server.stop()
    answer = client(operator).get(LIST)
    body = answer.json()
    assert answer.status_code == 503
    assert body["success"] is False
    assert body["redis"] == {"connected": False, "available": False}
    assert body["locks"] == {"count": 0, "items": []}
    assert body["error"]
    assert body["timestamp"]


def test_the_list_can_be_narrowed_as_on_the_page(locks: Locks, operator: User) -> None:
    locks.put("live@b.kz:7")
    locks.put("orphan@b.kz:7", state="orphan")
    api = client(operator)

    def keys(query: str) -> list[str]:
        return [item["key"] for item in api.get(f"{LIST}?{query}").json()["locks"]["items"]]

    assert (
        keys("state=orphan")
        == keys("stale=true")
        == keys("q=ORPHAN@")
        == ["amocrm:lead:orphan@b.kz:7"]
    )
    assert len(keys("sort=-held")) == 2
    assert api.get(f"{LIST}?state=dead").status_code == 400


# --- clearing ------------------------------------------------------------------------------------


def test_clearing_all_answers_as_documented_and_is_logged(locks: Locks, operator: User) -> None:
    locks.put()
    locks.redis.set("lock:celery", "theirs")
    body = client(operator).delete(LIST).json()
    assert set(body) == {"success", "message", "deleted", "timestamp"}
    assert (body["success"], body["message"], body["deleted"]) == (
        True,
        "Cleared 1 AmoCRM locks",
        1,
    )
    assert locks.names() == set()
    assert locks.redis.get("lock:celery") == b"theirs"
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag, entry.object_id) == (operator, DELETION, NAME)
    assert history.latest(1)[0].by == "olga"


def test_one_lock_is_cleared_by_its_key(locks: Locks, operator: User) -> None:
    locks.put()
    other = locks.put("other@b.kz:7")
    answer = client(operator).delete(f"{LIST}/{NAME}")
    assert (answer.status_code, answer.json()["deleted"]) == (200, 1)
    assert locks.names() == {other}


def test_one_lock_is_cleared_by_its_key_and_holder(locks: Locks, operator: User) -> None:
    holder_id = locks.value(locks.put())
    answer = client(operator).delete(f"{LIST}/{NAME}", query_params={"holder_id": holder_id})
    assert (answer.status_code, answer.json()["message"]) == (200, "Cleared 1 AmoCRM locks")


def test_another_holder_is_a_409_and_keeps_its_lock(locks: Locks, operator: User) -> None:
    holder_id = locks.value(locks.put())
    locks.put()
    now = locks.value(NAME)
    assert now != holder_id
    answer = client(operator).delete(f"{LIST}/{NAME}", query_params={"holder_id": holder_id})
    assert (answer.status_code, answer.json()["success"]) == (409, False)
    assert locks.value(NAME) == now
    assert not LogEntry.objects.exists()


def test_what_a_masked_list_shows_can_be_cleared(locks: Locks, viewer: User) -> None:
    viewer.user_permissions.add(Permission.objects.get(codename="delete_lock"))
    api = client(User.objects.get(pk=viewer.pk))
    for who in ("anna@b.kz:77771112233", "anton@b.kz:77771112233", "olga@b.kz:77771112233"):
        locks.put(who)
    items = api.get(f"{LIST}?sort=person").json()["locks"]["items"]
    (anna, anton, olga) = (item["key"] for item in items)
    assert anna == anton == "amocrm:lead:an***@b.kz:7777***2233"
    assert api.delete(f"{LIST}/{olga}").status_code == 200
    several = api.delete(f"{LIST}/{anna}")
    assert (several.status_code, len(locks.names())) == (409, 2)
    assert "holder_id" in several.json()["error"]
    one = {"holder_id": items[1]["holder_id"]}
    assert api.delete(f"{LIST}/{anton}", query_params=one).status_code == 200
    assert locks.names() == {"amocrm:lead:anna@b.kz:77771112233"}


def test_a_key_of_any_characters_can_be_cleared(locks: Locks, operator: User) -> None:
    name = locks.put("a/b\nc <script>:7")
    assert client(operator).delete(f"{LIST}/{quote(name)}").status_code == 200
    assert locks.names() == set()


@pytest.mark.parametrize("key", ["amocrm:lead:nobody@b.kz:7", "celery", "lock:celery"])
def test_a_key_that_is_not_there_or_not_ours_is_a_404(
    locks: Locks, operator: User, key: str
) -> None:
    locks.redis.set("lock:celery", "theirs")
    answer = client(operator).delete(f"{LIST}/{key}")
    assert (answer.status_code, answer.json()["success"]) == (404, False)
    assert locks.redis.get("lock:celery") == b"theirs"


@pytest.mark.parametrize("url", [LIST, f"{LIST}/{NAME}"])
def test_clearing_without_redis_is_a_503(
    operator: User, redis_server: RedisServer, url: str
) -> None:
    redis_server.stop()
    answer = client(operator).delete(url)
    assert (answer.status_code, answer.json()["success"]) == (503, False)
    assert answer.json()["error"]


def test_an_unknown_filter_clears_nothing(locks: Locks, operator: User) -> None:
    locks.put()
    assert client(operator).delete(f"{LIST}?stael=true").status_code == 400
    assert client(operator).delete(f"{LIST}?older_than=soon").status_code == 400
    assert locks.names() == {NAME}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"dry_run": "true"}, 200),
        ({"stale": "true"}, 200),
        ({"older_than": "3600"}, 200),
        ({"holderid": "nobody"}, 400),
        ({"q": "x"}, 400),
    ],
)
def test_what_is_asked_of_one_lock_is_heeded(
    locks: Locks, operator: User, query: dict[str, str], code: int
) -> None:
    locks.put()
    answer = client(operator).delete(f"{LIST}/{NAME}", query_params=query)
    assert answer.status_code == code
    assert answer.json().get("deleted", 0) == 0
    assert locks.names() == {NAME}


@pytest.mark.parametrize("url", [LIST, f"{LIST}/{NAME}"])
def test_filters_in_a_body_are_refused(locks: Locks, operator: User, url: str) -> None:
    locks.put()
    answer = client(operator).delete(url, {"dry_run": True}, format="json")
    assert (answer.status_code, locks.names()) == (400, {NAME})


def test_a_key_that_holds_no_lock_is_left(locks: Locks, operator: User) -> None:
    locks.redis.rpush(f"lock:{NAME}", "a list")
    answer = client(operator).delete(f"{LIST}/{NAME}")
    assert (answer.status_code, locks.names()) == (409, {NAME})
    assert "redis-cli" in answer.json()["error"]


def test_a_reason_is_kept_as_far_as_a_database_takes_it(locks: Locks, operator: User) -> None:
    locks.put()
    reason = "[1]\x00" + "x" * 500
    client(operator).delete(LIST, query_params={"reason": reason})
    entry = LogEntry.objects.get()
    assert entry.get_change_message().strip() == f"[1] {'x' * 196}"


def freeze_before_batch(
    monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer, number: int
) -> None:
    """Let Redis stop answering when this batch of locks is about to be cleared."""
    real, begun = clearing._clear, []

    def clear(*args: Any) -> Any:
        begun.append(1)
        if len(begun) == number:
            redis_server.pause()
        return real(*args)

    monkeypatch.setattr(clearing, "_clear", clear)


def test_what_was_cleared_before_redis_went_silent_is_told(
    locks: Locks, operator: User, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = locks.put("p000@b.kz:7")
    value = locks.value(name) or ""
    locks.redis.mset({f"lock:amocrm:lead:p{at:03}@b.kz:7": value for at in range(600)})
    freeze_before_batch(monkeypatch, redis_server, 2)
    answer = client(operator).delete(LIST)
    redis_server.resume()
    assert (answer.status_code, answer.json()["deleted"]) == (503, 500)
    assert " 100 " in answer.json()["error"]
    assert LogEntry.objects.count() == 500
    assert len(locks.names()) == 100


def test_a_dry_run_clears_nothing(locks: Locks, operator: User) -> None:
    locks.put()
    body = client(operator).delete(f"{LIST}?dry_run=true").json()
    assert (body["message"], body["deleted"]) == ("Would clear 1 AmoCRM locks", 0)
    assert locks.names() == {NAME}


def test_only_the_stale_ones_are_cleared_if_asked(locks: Locks, operator: User) -> None:
    live = locks.put("live@b.kz:7")
    locks.put("orphan@b.kz:7", state="orphan")
    body = client(operator).delete(f"{LIST}?stale=true&reason=dead+worker").json()
    assert body["deleted"] == 1
    assert locks.names() == {live}
    assert history.latest(1)[0].why == "dead worker"


# --- history -------------------------------------------------------------------------------------


def events(api: APIClient, query: str = "") -> list[dict[str, Any]]:
    """What the history endpoint tells."""
    found: list[dict[str, Any]] = api.get(f"{LIST}/history{query}").json()["events"]
    return found


def test_the_history_is_there_as_json(operator: User, viewer: User, stranger: User) -> None:
    history.record(history.Kind.ACQUIRED, NAME, waited_ms=3)
    history.record(history.Kind.BUSY, "amocrm:lead:other@b.kz:7", waited_ms=2000)
    assert [event["kind"] for event in events(client(operator))] == ["busy", "acquired"]
    assert [event["key"] for event in events(client(operator), "?q=test@onai")] == [NAME]
    assert len(events(client(operator), "?limit=1")) == 1
    assert "test@onai" not in str(events(client(viewer)))
    assert client(operator).get(f"{LIST}/history?limit=many").status_code == 400
    assert client(stranger).get(f"{LIST}/history").status_code == 403
    assert client().get(f"{LIST}/history").status_code == 401


def test_without_redis_there_is_nothing_to_list_to_clear_or_to_tell(
    operator: User, settings: Settings
) -> None:
    """Locks are switched off: that is no error, and no Redis is asked."""
    settings.REDIS_ENABLED = False
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.CACHES = {**settings.CACHES, "locks": dummy}
    api = client(operator)
    assert api.get(LIST).json()["locks"] == {"count": 0, "items": []}
    cleared = api.delete(LIST)
    assert (cleared.status_code, cleared.json()["deleted"]) == (200, 0)
    assert api.get(f"{LIST}/history").json()["events"] == []
    out = StringIO()
    call_command("clear_amocrm_locks", "--noinput", stdout=out)
    assert out.getvalue() == "Cleared 0 AmoCRM locks\n"


def test_people_in_the_reason_of_a_clear_are_masked_for_a_viewer(
    locks: Locks, operator: User, viewer: User
) -> None:
    locks.put()
    client(operator).delete(f"{LIST}?reason=asked by anna@onai.academy, 8 (777) 111-22-33")
    whole, masked = (
        next(event["why"] for event in client(one).get(f"{LIST}/history").json()["events"])
        for one in (operator, viewer)
    )
    assert whole == "asked by anna@onai.academy, 8 (777) 111-22-33"
    assert masked == "asked by an***@onai.academy, 8777***2233"
