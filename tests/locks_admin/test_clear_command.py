"""``manage.py clear_amocrm_locks``."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from amocrm.locks import history
from tests.locks_admin.conftest import Locks
from tests.servers import RedisServer


def run(*arguments: str) -> str:
    """Run the command without questions; answers what it printed."""
    out = io.StringIO()
    call_command("clear_amocrm_locks", "--noinput", *arguments, stdout=out)
    return out.getvalue()


def test_each_lock_is_printed_and_the_count_last(locks: Locks) -> None:
    names = {locks.put("a@b.kz:7"), locks.put("c@d.kz:8")}
    lines = run().splitlines()
    assert {line.split()[0] for line in lines[:-1]} == names
    assert lines[-1] == "Cleared 2 AmoCRM locks"
    assert locks.names() == set()
    assert history.latest(1)[0].why == "manage.py clear_amocrm_locks"


def test_without_locks_the_count_is_zero(locks: Locks) -> None:
    assert run().splitlines() == ["Cleared 0 AmoCRM locks"]


def test_one_key(locks: Locks) -> None:
    name, other = locks.put("a@b.kz:7"), locks.put("c@d.kz:8")
    run("--key", name)
    assert locks.names() == {other}


@pytest.mark.parametrize("key", ["amocrm:lead:nobody", "celery"])
def test_a_key_that_is_not_there_is_an_error(locks: Locks, key: str) -> None:
    name = locks.put()
    locks.redis.set("lock:celery", "theirs")
    with pytest.raises(CommandError, match=key):
        run("--key", key)
    assert locks.names() == {name}
    assert locks.redis.get("lock:celery") == b"theirs"


def test_options_narrow_the_choice(locks: Locks) -> None:
    live, orphan = locks.put("live@b.kz:7"), locks.put("orphan@b.kz:7", state="orphan")
    overdue = locks.put("overdue@b.kz:7", state="overdue")
    run("--stale", "--older-than", "100")
    assert locks.names() == {live, orphan}
    assert overdue not in locks.names()
    run("--stale")
    assert locks.names() == {live}


def test_a_dry_run_shows_and_clears_nothing(locks: Locks) -> None:
    name = locks.put()
    assert run("--dry-run").splitlines() == [
        f"{name}  would be cleared",
        "Would clear 1 AmoCRM locks",
    ]
    assert locks.names() == {name}


def test_json_is_one_object(locks: Locks) -> None:
    name = locks.put()
    assert json.loads(run("--json")) == {
        "success": True,
        "dry_run": False,
        "locks": [{"key": name, "result": "cleared"}],
        "deleted": 1,
    }


def test_json_names_what_became_of_each_lock(locks: Locks) -> None:
    name = locks.put()
    would_clear = {"key": name, "result": "would_clear"}
    assert json.loads(run("--json", "--dry-run"))["locks"] == [would_clear]
    locks.redis.delete(f"lock:{name}")
    locks.redis.rpush(f"lock:{name}", "a list")
    body = json.loads(run("--json"))
    assert body["locks"] == [{"key": name, "result": "not_a_lock"}]
    assert (body["success"], body["deleted"]) == (True, 0)


@pytest.mark.parametrize("answer", ["n", "", "nonsense"])
def test_without_a_yes_nothing_is_cleared(
    locks: Locks, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    name = locks.put()
    monkeypatch.setattr("builtins.input", lambda _: answer)
    out = io.StringIO()
    with pytest.raises(CommandError, match="Nothing was cleared"):
        call_command("clear_amocrm_locks", stdout=out)
    assert "running deliveries" in out.getvalue()
    assert locks.names() == {name}


def test_a_yes_clears(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    locks.put()
    monkeypatch.setattr("builtins.input", lambda _: "y")
    call_command("clear_amocrm_locks", stdout=io.StringIO())
    assert locks.names() == set()


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan"])
def test_a_wrong_number_of_seconds_is_an_error(locks: Locks, seconds: str) -> None:
    name = locks.put()
    with pytest.raises(CommandError, match="number of seconds"):
        run(f"--older-than={seconds}")
    assert locks.names() == {name}


def test_without_redis_the_error_is_a_sentence(redis_server: RedisServer, db: None) -> None:
    redis_server.stop()
    with pytest.raises(CommandError, match="Redis does not answer, so nothing was cleared"):
        run()
