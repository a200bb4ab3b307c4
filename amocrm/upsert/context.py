"""One delivery at work on one person: what every step needs, and the guard before each call."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from amocrm import conf, ledger
from amocrm.account.schema import AccountSchema, cached_schema
from amocrm.api.client import Client
from amocrm.api.schemas import Contact
from amocrm.contract import Action, LeadRequest, Progress
from amocrm.identity import IdentityKey
from amocrm.ledger import PersonState
from amocrm.locks.guard import HeldLock, hold
from amocrm.locks.turn import only_waiter

P = ParamSpec("P")
T = TypeVar("T")


class StartOver(Exception):
    """What we knew of the person is no longer so: begin with the first step again."""


class DeliverTo(StartOver):
    """The submission is for ``person_id``, who may be the same person and has the lead."""

    def __init__(self, person_id: int) -> None:
        super().__init__(f"for person {person_id}")
        self.person_id = person_id


class Together(Protocol):
    """Deliveries that share their requests: :class:`amocrm.upsert.together.Together`."""

    @property
    def client(self) -> Client: ...

    def once(self, key: Hashable, ask: Callable[[Client], T]) -> T: ...


@dataclass(frozen=True)
class Searched:
    """What the CRM was searched for, and the person's contacts that it showed."""

    keys: frozenset[IdentityKey]
    found: tuple[Contact, ...]


@dataclass
class UpsertContext:
    """``named`` is what the submission names, as far as it identifies somebody. ``person`` is
    the state that our last look or write left behind: only :meth:`write` and :meth:`reread`
    replace it.

    ``together`` are the deliveries that this one shares its requests with, if any. ``action`` is
    what adopting a lead after an earlier attempt was, for the result. ``searched`` is what the
    search was asked, and found.

    ``crm`` calls :meth:`checkpoint` before every request; ``unguarded_crm`` does not, and is only
    for undoing what is surely our own.
    """

    request: LeadRequest
    named: frozenset[IdentityKey]
    progress: Progress
    settings: conf.AmoSettings
    person: PersonState
    lock: HeldLock
    unguarded_crm: Client
    together: Together | None = None
    action: Action | None = None
    searched: Searched | None = None
    _schema: AccountSchema | None = None

    @property
    def crm(self) -> Client:
        """The client that asks for permission before every request."""
        return self.unguarded_crm.guarded_by(self.checkpoint)

    @property
    def named_theirs(self) -> frozenset[IdentityKey]:
        """What of ``named`` is this person's: the rest is somebody else's, or nobody's."""
        return self.named & self.person.identities

    def checkpoint(self) -> None:
        """Go on only while the lock, the person and the delivery are ours.

        Raises :class:`~amocrm.errors.LockLost`, :class:`~amocrm.errors.LockUnavailable` or
        :class:`~amocrm.errors.PersonChanged`, and what :meth:`Progress.heartbeat` raises; nothing
        may be written after that.
        """
        self.lock.extend()
        if ledger.version_of(self.person.id) != self.person.version:
            raise ledger.person_changed(self.person.lock_name, "seen at a checkpoint")
        self.progress.heartbeat()

    def write(
        self,
        change: Callable[Concatenate[PersonState, P], PersonState],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Change the person by a function of :mod:`amocrm.ledger`; raises what that raises."""
        self.person = change(self.person, *args, **kwargs)

    def reread(self) -> None:
        """Somebody else has changed the person: see what it is now."""
        self.person = ledger.read(self.person.id)

    def schema(self, *, fresh: bool = False) -> AccountSchema:
        """The account's pipeline, stages and fields, the same for a whole delivery unless
        ``fresh``."""
        if fresh or self._schema is None:
            self._schema = cached_schema(self.crm, self.settings, fresh=fresh)
        return self._schema


@contextmanager
def locked_context(
    person: PersonState,
    *,
    request: LeadRequest,
    named: frozenset[IdentityKey],
    progress: Progress,
    settings: conf.AmoSettings,
    crm: Client,
    together: Together | None = None,
) -> Iterator[UpsertContext]:
    """Hold the person's lock and read the person again under it.

    Raises what :func:`amocrm.locks.guard.hold` raises, at once where another thread of this
    process waits for that lock, or others would wait with us (``together``), and
    :class:`StartOver` when the person was merged into somebody else while we waited.
    """
    with ExitStack() as until_the_end:
        with only_waiter(person.lock_name) if settings.redis_enabled else nullcontext():
            wait = 0 if together else None
            lock = until_the_end.enter_context(
                hold(person.lock_name, reference=request.reference, wait=wait)
            )
        now = ledger.read(person.id)
        if now.id != person.id:
            raise StartOver
        yield UpsertContext(request, named, progress, settings, now, lock, crm, together)
