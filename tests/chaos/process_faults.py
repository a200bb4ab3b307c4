"""What happens to our own processes, to Redis, to the locks and to the account."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.chaos.children import Child
from tests.chaos.crm_faults import CREATE, NOTE, SEARCH, Rule
from tests.chaos.population import Form, canonical
from tests.chaos.stack import Stack


class Field(Protocol):
    """The run, as far as a fault needs it."""

    stack: Stack
    chance: random.Random

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something in a while, in the thread of the run."""

    def struck(self, name: str) -> None:
        """Count a fault."""

    def arm(self, name: str, rule: Rule, *, when_hit: Callable[[], object] | None = None) -> None:
        """Put a rule in force; it counts as a fault when it first hits."""

    def upcoming(self) -> Form | None:
        """A form that is to be sent soon and that nobody has plans with."""

    def submission_of(self, form: Form) -> str | None:
        """The form's submission, once it is accepted."""

    def begin(self, what: str) -> bool:
        """Reserve something that can be broken once at a time; false if it is broken."""

    def end(self, what: str) -> None:
        """It works again."""


@dataclass(frozen=True)
class ProcessFault:
    """``strike`` does it, or nothing when it is not possible just now."""

    name: str
    weight: int
    strike: Callable[[Field, str], None]
    needs_redis: bool = False


def _revive(field: Field, child: Child) -> None:
    field.later(field.chance.uniform(0.2, 2), child.start)


def _kill_worker(field: Field, name: str) -> None:
    worker = field.chance.choice(field.stack.workers)
    if worker.is_running:
        worker.kill()
        field.struck(name)
        _revive(field, worker)


def _kill_worker_at(where: Rule, action: str) -> Callable[[Field, str], None]:
    """Hold a call of a chosen form at the sandbox and kill the worker that waits for it."""

    def strike(field: Field, name: str) -> None:
        form = field.upcoming()
        if form is None:
            return
        delay = 0.9 * field.stack.scale.timeout
        rule: dict[str, Any] = {**where, "action": action, "delay": delay}
        if where is SEARCH:
            rule["query_has"] = canonical(form.body["phone"])
        else:
            rule["body_has"] = form.token

        def kill_its_worker() -> None:
            submission = field.submission_of(form)
            pid = field.stack.rows.token_prefix(submission) if submission else None
            for worker in field.stack.workers:
                if pid is not None and worker.pid == pid:
                    worker.kill()
                    _revive(field, worker)

        field.arm(name, rule, when_hit=kill_its_worker)

    return strike


def _freeze_worker(field: Field, name: str) -> None:
    """Longer than its lock and its claim last, so that another one takes over meanwhile."""
    worker = field.chance.choice(field.stack.workers)
    if worker.is_running and field.begin("frozen worker"):
        worker.pause()
        field.struck(name)

        def thaw() -> None:
            worker.resume()
            field.end("frozen worker")

        field.later(2 * field.stack.scale.lock_ttl + field.chance.uniform(0, 3), thaw)


def _kill_web(field: Field, name: str) -> None:
    field.stack.web.kill()
    field.struck(name)
    field.later(0.3, field.stack.web.start)


def _kill_beat(field: Field, name: str) -> None:
    if field.stack.beat.is_running:
        field.stack.beat.kill()
        field.struck(name)
        _revive(field, field.stack.beat)


def _restart_redis_empty(field: Field, name: str) -> None:
    redis = field.stack.redis
    if redis and field.begin("redis"):
        redis.kill()
        field.struck(name)

        def start() -> None:
            redis.start()
            field.end("redis")

        field.later(field.chance.uniform(0.1, 2.5), start)


def _freeze_redis(field: Field, name: str) -> None:
    redis = field.stack.redis
    if redis and field.begin("redis"):
        redis.pause()
        field.struck(name)

        def thaw() -> None:
            redis.resume()
            field.end("redis")

        field.later(field.chance.uniform(0.5, 7), thaw)


def _clear_locks(field: Field, name: str) -> None:
    if field.stack.clear_locks() > 0:
        field.struck(name)


def _refuse_token(field: Field, name: str) -> None:
    if field.begin("settings"):
        field.stack.control.config(revoked_tokens=["*"])
        field.struck(name)

        def accept() -> None:
            field.stack.control.config(revoked_tokens=[])
            field.end("settings")

        field.later(field.chance.uniform(0.3, 1.5), accept)


def _lag_index(field: Field, name: str) -> None:
    if field.begin("settings"):
        field.stack.control.config(index_lag=30)
        field.struck(name)

        def catch_up() -> None:
            field.stack.control.config(index_lag=field.stack.index_lag)
            field.end("settings")

        field.later(field.chance.uniform(5, 20), catch_up)


PROCESS_FAULTS: tuple[ProcessFault, ...] = (
    ProcessFault("kill -9: worker", 3, _kill_worker),
    ProcessFault("kill -9: worker while searching", 2, _kill_worker_at(SEARCH, "delay")),
    ProcessFault("kill -9: worker before create is done", 3, _kill_worker_at(CREATE, "delay")),
    ProcessFault("kill -9: worker after create", 3, _kill_worker_at(CREATE, "delay_answer")),
    ProcessFault("kill -9: worker before note is done", 2, _kill_worker_at(NOTE, "delay")),
    ProcessFault("kill -9: worker after note", 2, _kill_worker_at(NOTE, "delay_answer")),
    ProcessFault("SIGSTOP: worker beyond its claim", 2, _freeze_worker),
    ProcessFault("kill -9: web", 1, _kill_web),
    ProcessFault("kill -9: beat", 1, _kill_beat, needs_redis=True),
    ProcessFault("Redis killed, restarted empty", 2, _restart_redis_empty, needs_redis=True),
    ProcessFault("Redis frozen", 2, _freeze_redis, needs_redis=True),
    ProcessFault("all locks cleared", 5, _clear_locks, needs_redis=True),
    ProcessFault("401 for a moment", 1, _refuse_token),
    ProcessFault("index lag 30 s", 2, _lag_index),
)
