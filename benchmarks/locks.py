"""The locks: taking one, listing many, clearing many."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from amocrm.locks import clearing
from amocrm.locks.connection import lock, locks_client
from amocrm.locks.guard import hold
from amocrm.locks.holder import Holder
from amocrm.locks.names import key_of
from benchmarks.ground import Ground
from benchmarks.table import Row, Section, milliseconds
from benchmarks.timing import Timing, in_turns, repeat, timed
from locks_admin.monitor import lock_status

COUNTS = (100, 1_000, 10_000)
CLEARED = 1_000
PAIRS = 300
ROUNDS = 3
LISTINGS = 9
TTL = 600


def one_lock() -> Section:
    """Acquire and release: this service's lock, the library's, and what both rest on."""
    client = locks_client()
    name = "amocrm:lead:bench@bench.example:77770000000"

    def bare() -> None:
        client.set("bench", secrets.token_hex(8), nx=True, ex=TTL)
        client.delete("bench")

    def library() -> None:
        taken = lock(name, value=Holder.here("bench").encode(), ttl=TTL)
        taken.acquire(blocking=False)
        taken.release()

    def ours() -> None:
        with hold(name, reference="bench"):
            pass

    timings = in_turns((bare, library, ours), rounds=ROUNDS, times=PAIRS)
    names = ("SET NX EX + DEL", "python-redis-lock alone", "with history and log lines (as used)")
    baseline, *others = (
        milliseconds(name, timing.median) for name, timing in zip(names, timings, strict=True)
    )
    rows = [baseline, *(row.against(baseline) for row in others)]
    return Section(f"Acquire and release one lock: median of {ROUNDS * PAIRS}", rows)


def many_locks(place: Ground) -> list[Section]:
    """Listing with holder, state and waiters, per lock; and clearing."""
    each: list[Row] = []
    whole: list[Row] = []
    for count in COUNTS:
        _plant(count)
        timing = repeat(_lister(count), LISTINGS)
        whole.append(milliseconds(f"list {count:,}", timing.median))
        each.append(Row(f"list {count:,}, per lock", timing.median / count * 1e6, "µs"))
        place.redis.flush()
    first, first_each = whole[0], each[0]
    listing = [
        *(first if row is first else row.against(first) for row in whole),
        *(first_each if row is first_each else row.against(first_each) for row in each),
    ]
    return [
        Section(f"Listing locks: median of {LISTINGS}", listing),
        Section(f"Clearing {CLEARED:,} locks: median of {ROUNDS}", _clearing(place)),
    ]


def _clearing(place: Ground) -> list[Row]:
    client = locks_client()

    def bare(names: list[str]) -> None:
        for name in names:
            client.delete(key_of(name))

    one_by_one, ours = Timing(()), Timing(())
    for _ in range(ROUNDS):
        names = _plant(CLEARED)
        one_by_one += Timing((timed(partial(bare, names)),))
        _plant(CLEARED)
        rows = lock_status.read()
        ours += Timing((timed(partial(clearing.clear, rows, by="bench", why="benchmark")),))
        if lock_status.read():
            raise RuntimeError("not every lock was cleared")
        place.redis.flush()
    baseline = milliseconds("one DEL each, nothing compared, nobody woken", one_by_one.median)
    cleared = milliseconds("compare, delete, wake, history, log (as used)", ours.median)
    return [baseline, cleared.against(baseline)]


def _plant(count: int) -> list[str]:
    client = locks_client()
    names = [f"amocrm:lead:person{n}@bench.example:7701{n:07d}" for n in range(count)]
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.set(key_of(name), Holder.here(str(uuid4())).encode(), ex=TTL)
    pipeline.execute()
    return names


def _lister(count: int) -> Callable[[], None]:
    def work() -> None:
        found = len(lock_status.read())
        if found != count:
            raise RuntimeError(f"{found} locks were listed, not {count}")

    return work
