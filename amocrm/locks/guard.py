"""Taking a person's lock, keeping it, and letting it go.

python-redis-lock sets, extends and removes the key. What it does not do is done here: a real
deadline (it counts its timeout anew at every wake-up, and not below a second), waiting that
never outlasts the socket's timeout, and a release that does not hide what the body raised.
No thread renews the lock: whoever works under it calls :meth:`HeldLock.extend`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis_lock import NotAcquired, NotExpirable

from amocrm import conf, counters, log_context
from amocrm.counters import Event
from amocrm.errors import LockBusy, LockLost, LockUnavailable
from amocrm.locks import connection, history
from amocrm.locks.connection import RedisLock
from amocrm.locks.history import Kind
from amocrm.locks.holder import Holder
from amocrm.locks.names import PREFIX, is_ours, signal_of
from amocrm.redis_clients import REDIS_ERRORS

SLICE = 0.5

logger = log_context.get_logger(__name__)


@dataclass
class HeldLock:
    """A lock that is ours until it is released, expires, or is cleared.

    ``waited_ms`` is how long it took to get. Without Redis (``REDIS_ENABLED=false``) there
    is no lock behind it and it is never lost.
    """

    name: str
    holder: Holder
    waited_ms: int = 0
    ttl: int = 0
    lost: bool = False
    _lock: RedisLock | None = None
    _since: float = field(default_factory=time.monotonic)
    _extended: float = field(default_factory=time.monotonic)

    @property
    def held_ms(self) -> int:
        """Milliseconds since it was acquired."""
        return _ms(self._since)

    def extend(self) -> None:
        """Give the lock its whole time to live again.

        Raises :class:`~amocrm.errors.LockLost` when it is not ours any more and
        :class:`~amocrm.errors.LockUnavailable` when Redis does not answer. After either,
        nothing may be written in the lock's name.
        """
        if self.lost:
            raise LockLost(f"The lock {self.name} was lost earlier", lock_name=self.name)
        if self._lock is None:
            return
        try:
            self._lock.extend()
        except (NotAcquired, NotExpirable) as gone:
            self._note_loss()
            raise LockLost(
                f"The lock {self.name} expired, was cleared or changed hands after "
                f"{self.held_ms} ms: the delivery stops and is tried again",
                lock_name=self.name,
            ) from gone
        except REDIS_ERRORS as trouble:
            raise _unavailable(self.name, trouble) from trouble
        self._extended = time.monotonic()

    def _note_loss(self) -> None:
        """Log, count and remember that the lock went away under us. Never raises."""
        self.lost = True
        ran_out = time.monotonic() - self._extended >= self.ttl
        logger.warning(
            "⚠️ Lock %s: %s (held %d ms) [LOCK]",
            "EXPIRED" if ran_out else "LOST",
            self.name,
            self.held_ms,
        )
        self._remember(Kind.EXPIRED if ran_out else Kind.LOST, held_ms=self.held_ms)
        counters.count(Event.LOCK_LOST)

    def release(self) -> None:
        """Let the lock go and wake one waiter. Never raises: the work under it is done."""
        if self._lock is None or self.lost:
            return
        try:
            self._lock.release()
        except NotAcquired:
            self._note_loss()
        except REDIS_ERRORS as trouble:
            logger.warning(
                "⚠️ Lock NOT RELEASED: %s (held %d ms); it runs out within %d s: %s [LOCK]",
                self.name,
                self.held_ms,
                self.ttl,
                trouble,
            )
        else:
            logger.info("🔓 Lock RELEASED: %s (held %d ms) [LOCK]", self.name, self.held_ms)
            self._remember(Kind.RELEASED, held_ms=self.held_ms)

    def note_acquired(self) -> None:
        """Log and remember that the lock is ours now."""
        logger.info("🔒 Lock ACQUIRED: %s (waited %d ms) [LOCK]", self.name, self.waited_ms)
        self._remember(Kind.ACQUIRED, waited_ms=self.waited_ms)

    def _remember(
        self, kind: Kind, *, waited_ms: int | None = None, held_ms: int | None = None
    ) -> None:
        history.record(
            kind,
            self.name,
            holder_id=self.holder.encode(),
            reference=self.holder.reference,
            waited_ms=waited_ms,
            held_ms=held_ms,
        )


@contextmanager
def hold(name: str, *, reference: str, wait: float | None = None) -> Iterator[HeldLock]:
    """Hold the lock ``name`` (``amocrm:lead:…``) for the block, on behalf of ``reference``.

    Waits at most ``wait`` seconds, without one ``LOCK_WAIT``. Raises
    :class:`~amocrm.errors.LockBusy` when somebody keeps it longer and
    :class:`~amocrm.errors.LockUnavailable` on any trouble with Redis. What the block raises is
    never replaced; a lock found lost at the end is logged and counted, not raised.
    """
    if not is_ours(name):
        raise ValueError(f"{name!r} is no lock of ours: it must begin with {PREFIX}")
    settings = conf.current()
    if not settings.redis_enabled:
        yield HeldLock(name, Holder.here(reference))
        return
    longest = settings.lock_wait if wait is None else wait
    held = _acquire(name, reference, ttl=settings.lock_ttl, wait=longest)
    try:
        held.note_acquired()
        yield held
    finally:
        held.release()


def _acquire(name: str, reference: str, *, ttl: int, wait: float) -> HeldLock:
    started = time.monotonic()
    while True:
        holder = Holder.here(reference)
        lock = _lock(name, holder, ttl)
        try:
            if _try(lock, holder):
                return HeldLock(name, holder, waited_ms=_ms(started), ttl=ttl, _lock=lock)
            left = started + wait - time.monotonic()
            if left > 0:
                _sleep_until_signalled(name, left)
        except BaseException as trouble:
            # What was lost may be the answer, not the command: the lock may be ours by now.
            _take_back(name, holder)
            if isinstance(trouble, REDIS_ERRORS):
                raise _unavailable(name, trouble) from trouble
            raise
        if left <= 0:
            raise _busy(name, holder, waited_ms=_ms(started))


def _lock(name: str, holder: Holder, ttl: int) -> RedisLock:
    try:
        return connection.lock(name, value=holder.encode(), ttl=ttl)
    except REDIS_ERRORS as trouble:
        raise _unavailable(name, trouble) from trouble


def _try(lock: RedisLock, holder: Holder) -> bool:
    if lock.acquire(blocking=False):
        return True
    # A client that repeats a command whose answer was lost is refused by its own success.
    return lock.get_owner_id() == holder.encode()


def _sleep_until_signalled(name: str, longest: float) -> None:
    """Sleep until the lock is let go, a moment at a time (nobody signals an expiry)."""
    client = connection.locks_client()
    socket_timeout = connection.socket_timeout(client)
    pause = min(SLICE, longest, socket_timeout / 2 if socket_timeout else SLICE)
    client.blpop([signal_of(name)], timeout=max(pause, 0.01))


def _busy(name: str, holder: Holder, *, waited_ms: int) -> LockBusy:
    logger.info("⏳ Lock BUSY: %s (waited %d ms) [LOCK]", name, waited_ms)
    history.record(
        Kind.BUSY,
        name,
        holder_id=holder.encode(),
        reference=holder.reference,
        waited_ms=waited_ms,
    )
    counters.count(Event.LOCK_BUSY)
    # The same words each time: who comes back for the same reason is counted by them.
    return LockBusy(f"Another delivery holds the lock {name}", lock_name=name)


def _unavailable(name: str, trouble: Exception) -> LockUnavailable:
    logger.warning("⚠️ Lock UNAVAILABLE: %s: Redis does not answer: %s [LOCK]", name, trouble)
    return LockUnavailable(
        f"Redis does not answer, so nothing is delivered: {trouble}", lock_name=name
    )


def _take_back(name: str, holder: Holder) -> None:
    """Let go of what may have become ours, without waiting long for a Redis that is unwell."""
    try:
        connection.impatient_lock(name, value=holder.encode()).release()
    except (NotAcquired, *REDIS_ERRORS) as trouble:
        logger.debug("Nothing to take back: %s", trouble)


def _ms(since: float) -> int:
    return round((time.monotonic() - since) * 1000)
