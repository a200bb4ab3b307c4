"""Many deliveries with few requests: each runs by itself, and what they ask for at the same time
is asked together.

There is one protocol, :mod:`amocrm.upsert.protocol`, and it runs here once for each person, in a
greenlet of its own, up to its next request to amoCRM. When all of them have got that far, requests
of one kind become one (:mod:`amocrm.api.bulk`), and each delivery goes on with its part of the
answer. So a batch of one is a delivery as always, and whatever holds for one person holds for each
of fifty: the same looks, claims and conditional writes, in the same order.

What is shared is time, not decisions:

- *Waves*: what some deliveries write to the database between two requests is one transaction. It
  is committed before the next request leaves, as each write of a single delivery is; whoever dies
  in between has not gone as far.
- *The earliest kind first*: reads, then looks at the mirror, then leads, then notes. So they come
  abreast of each other, and fifty notes are one request although some needed more reads.
- *Checkpoints and claims are each person's own*: whoever fails one drops out of the request, and
  the others go on.

*Why greenlets?* The protocol reads from top to bottom, and would not as a chain of callbacks or as
a second version of itself for batches. SQLAlchemy does the same between its asyncio and its core.
"""

from __future__ import annotations

import contextvars
import copy
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from django.db import DatabaseError, transaction
from greenlet import GreenletExit, getcurrent, greenlet

from amocrm import conf, mirror
from amocrm.api import bulk
from amocrm.api.bulk import Bulk, Call, Listed, bulk_of
from amocrm.api.client import Client, connect
from amocrm.api.responses import ApiResponse
from amocrm.api.schemas import UnreadableAnswer
from amocrm.api.sender import CREATE, Hook, Sender, nothing
from amocrm.errors import (
    AmoError,
    ComeBack,
    InBadCompany,
    LeadGone,
    OutcomeUnknown,
    Refused,
    Rejected,
)
from amocrm.ledger import whole_refusals
from amocrm.log_context import get_logger
from amocrm.write_turns import write_turn

logger = get_logger(__name__)

T = TypeVar("T")

MOST = bulk.MOST_LEADS
LEAST = 5  # a batch is never halved to fewer
HALVED_FOR = 3600.0  # seconds
WAVE = 5  # deliveries in one transaction: on SQLite whoever writes meanwhile waits for it
FILTERS_FORGOTTEN_AFTER = 3600.0  # seconds: somebody may have paid for them meanwhile


class _Size:
    """How many go into a batch. An amoCRM that does not answer one in time is asked for less:
    that is its own advice for a 504, as it is for lists (:mod:`amocrm.api.paging`)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As at the start of the process."""
        self._now, self._until = MOST, 0.0

    @property
    def now(self) -> int:
        """Submissions."""
        if self._now < MOST and time.monotonic() >= self._until:
            self.reset()
        return self._now

    def halve(self, sent: int) -> None:
        """A batch of so many has met no answer."""
        self._now = max(LEAST, min(self.now, sent // 2))
        self._until = time.monotonic() + HALVED_FOR


size = _Size()


def most_together() -> int:
    """How many submissions may be delivered together now; 1: each alone."""
    is_ready = mirror.readiness(conf.current()) is mirror.Readiness.READY
    return size.now if is_ready else 1


class _Filters:
    """Which accounts were seen to ignore ``filter[id][]``, which costs one request to find out."""

    def __init__(self) -> None:
        self._ignored_until: dict[str, float] = {}

    def reset(self) -> None:
        """As at the start of the process."""
        self._ignored_until.clear()

    def work(self, account: str) -> bool:
        """Whether it is worth trying."""
        return time.monotonic() >= self._ignored_until.get(account, 0.0)

    def are_ignored(self, account: str) -> None:
        """They were, just now."""
        self._ignored_until[account] = time.monotonic() + FILTERS_FORGOTTEN_AFTER


filters = _Filters()


@dataclass(frozen=True, eq=False)
class _Once:
    """Something to be asked once for all who ask for it now."""

    key: Hashable
    ask: Callable[[Client], Any]
    checkpoint: Hook = nothing  # a look that serves many stops for none of them


@dataclass(frozen=True)
class _Returned(Generic[T]):
    """A delivery has ended."""

    value: T | Exception


@dataclass(eq=False)
class _Member(Generic[T]):
    """One delivery: what it waits for, what it is given, how it ended."""

    job: Callable[[], T]
    asks: Call | _Once | None = None
    answer: Any = None
    returned: _Returned[T] | None = None
    greenlet: greenlet = field(init=False)

    def __post_init__(self) -> None:
        self.greenlet = greenlet(self._run)
        # Its own, so that log lines tell of its person.
        self.greenlet.gr_context = contextvars.copy_context()

    def _run(self) -> _Returned[T]:
        try:
            return _Returned(self.job())
        except Exception as error:
            return _Returned(error)

    def resume(self) -> None:
        """Run to the next request, or to the end."""
        answer, self.answer, self.asks = self.answer, None, None
        if isinstance(answer, AmoError):
            came = self.greenlet.throw(answer)
        elif self.greenlet:
            came = self.greenlet.switch(answer)
        else:
            came = self.greenlet.switch()
        if isinstance(came, _Returned):
            self.returned = came
        else:
            self.asks = came

    def end(self, error: BaseException) -> None:
        """End it where it stands, as ``error`` would have. Raises nothing."""
        thrown = error
        while not self.greenlet.dead:
            with suppress(BaseException):  # what is told is `error`, by the caller
                self.greenlet.throw(thrown)
            thrown = GreenletExit()  # to whoever has gone on all the same
        self.asks = None
        if self.returned is None and isinstance(error, Exception):
            self.returned = _Returned(error)

    def call_hook(self, hook: Hook) -> bool:
        """Call a hook of what it asks for as itself; whether it may go on."""
        context = cast(contextvars.Context, self.greenlet.gr_context).copy()
        try:
            context.run(hook)
        except AmoError as error:
            self.answer = error
            return False
        return True


class _MemberSender:
    """What a delivery sends through: its requests wait for those of the others."""

    def __init__(self, together: Together, checkpoint: Hook = nothing) -> None:
        self._together = together
        self._checkpoint = checkpoint

    def guarded_by(self, checkpoint: Hook) -> _MemberSender:
        """As :meth:`amocrm.api.sender.Sender.guarded_by`."""
        return _MemberSender(self._together, checkpoint)

    def probing(self) -> _MemberSender:
        """A delivery is no probe."""
        raise NotImplementedError

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        just_before: Hook = nothing,
    ) -> ApiResponse:
        """As :meth:`amocrm.api.sender.Sender.send`."""
        call = Call(method, path, params, body, just_before, self._checkpoint)
        return cast(ApiResponse, self._together.wait_for(call))


class Together:
    """Deliveries that share their requests. Used by one thread."""

    def __init__(self, sender: Sender, settings: conf.AmoSettings) -> None:
        self._sender = sender
        self._settings = settings
        self._members: list[_Member[Any]] = []
        self._kept_alive_at = time.monotonic()
        #: What each delivery asks through.
        self.client = Client(_MemberSender(self))

    def once(self, key: Hashable, ask: Callable[[Client], T]) -> T:
        """What ``ask`` answers, asked once for all deliveries that wait for ``key`` now. It begins
        when all of them have come to this place. Raises what ``ask`` raises."""
        return cast(T, self.wait_for(_Once(key, ask)))

    def wait_for(self, asked: Call | _Once) -> Any:
        """Called by a delivery: the answer to what it asks. Raises the error that it is."""
        return cast(greenlet, getcurrent().parent).switch(asked)

    def run(self, jobs: Sequence[Callable[[], T]]) -> list[T | Exception]:
        """Run all of them to their ends; what each returned or raised.

        What is no ``Exception`` (the process is being stopped), and errors of the database that
        concern all of them, go through every job and come out.
        """
        members = [_Member(job) for job in jobs]
        self._members = [*members]
        try:
            self._resume(members)
            while waiting := [one for one in members if one.asks is not None]:
                self._resume(self._ask_for_the_first(waiting))
        except BaseException as error:
            for member in members:
                member.end(error)
            raise
        return [cast(_Returned[T], one.returned).value for one in members]

    def _resume(self, members: Sequence[_Member[Any]]) -> None:
        for start in range(0, len(members), WAVE):
            with wave():
                for member in members[start : start + WAVE]:
                    try:
                        with wave():  # what fails in the database for one fails for one
                            member.resume()
                    except DatabaseError as error:
                        member.end(error)

    def _ask_for_the_first(self, waiting: Sequence[_Member[Any]]) -> list[_Member[Any]]:
        """Ask for what belongs to the earliest kind; whose answers are there."""
        if failed := [one for one in waiting if one.answer is not None]:
            return failed  # while others were asked for one by one
        first = min(_turn(one.asks) for one in waiting)
        chosen = [one for one in waiting if _turn(one.asks) == first]
        for kind, members in _grouped(chosen):
            if isinstance(kind, Bulk):
                self._in_bulk(kind, members)
            else:
                self._as_one(members)
        return chosen

    # One request ---------------------------------------------------------------------------

    def _as_one(self, members: Sequence[_Member[Any]]) -> None:
        """They ask for the very same."""
        group = _Group(members)
        asked = cast(Call | _Once, members[0].asks)
        try:
            if isinstance(asked, _Once):
                answer = asked.ask(Client(self._sender))
            else:
                answer = self._sender.guarded_by(group.checkpoint).send(
                    asked.method,
                    asked.path,
                    params=asked.params,
                    body=asked.body,
                    just_before=group.just_before,
                )
        except NobodyLeft:
            return
        except AmoError as error:
            group.fail(error)
        else:
            group.answer([answer] * len(group.live))

    def _each(self, members: Sequence[_Member[Any]]) -> None:
        for member in members:
            self._keep_alive(member)
            if member.answer is None:
                self._as_one([member])

    def _keep_alive(self, but: _Member[Any]) -> None:
        """One after another takes long, and the others' locks and leases run out meanwhile."""
        if time.monotonic() - self._kept_alive_at < self._settings.lock_ttl / 4:
            return
        self._kept_alive_at = time.monotonic()
        others = [one for one in self._members if one.asks and one is not but]
        with wave():
            for member in others:
                if member.answer is None and member.asks:
                    member.call_hook(member.asks.checkpoint)

    # In bulk -------------------------------------------------------------------------------

    def _in_bulk(self, kind: Bulk, members: Sequence[_Member[Any]]) -> None:
        if isinstance(kind, Listed):
            self._listed(kind, members)
            return
        for part in _portions(kind, members):
            if len(part) == 1:
                self._each(part)
            else:
                self._written(kind, part)

    def _listed(self, kind: Listed, members: Sequence[_Member[Any]]) -> None:
        """By the list where the account filters it; what that leaves out (what was deleted, for
        example) by itself."""
        account = self._settings.account
        left = list(members)
        if len(left) > 1 and filters.work(account):
            group = _Group(left)
            try:
                response = self._send(kind, group)
                if kind.is_ignored(response, group.calls):
                    filters.are_ignored(account)
                group.answer(kind.parts(response, group.calls))
            except NobodyLeft:
                pass
            except UnreadableAnswer:
                logger.warning("🔎 amoCRM's list by ids cannot be read: asking one by one")
            except AmoError as error:
                group.fail(error)
            left = [one for one in members if one.answer is None]
        self._each(left)

    def _written(self, kind: Bulk, members: Sequence[_Member[Any]]) -> None:
        group = _Group(members)
        try:
            response = self._send(kind, group)
            parts = kind.parts(response, group.calls)
        except NobodyLeft:
            return
        except UnreadableAnswer:
            group.fail(OutcomeUnknown("amoCRM's answer to a batch cannot be read"))
        except Rejected as error:
            self._sort_out(kind, group, error)
        except OutcomeUnknown as error:
            size.halve(len(group.live))
            group.fail(error)
        except (Refused, LeadGone) as error:
            # Whose fault it is, or that it is only the batch's, shows when each goes alone.
            self._without_company(group, error)
        except AmoError as error:
            group.fail(error)
        else:
            if None in parts:
                lost = "amoCRM's answer to a batch says nothing of this one"
                group.answer([OutcomeUnknown(lost) if one is None else one for one in parts])
            else:
                group.answer(parts)

    def _send(self, kind: Bulk, group: _Group) -> ApiResponse:
        request = kind.request(group.calls)
        return self._sender.guarded_by(group.checkpoint).send(
            request.method,
            request.path,
            params=request.params,
            # Whoever drops out until then is not in it.
            body=lambda: kind.request(group.calls).body,
            just_before=group.just_before,
        )

    def _sort_out(self, kind: Bulk, group: _Group, error: Rejected) -> None:
        """A 400 names the rows that are wrong. What it means for the others is told by no page:
        see :mod:`amocrm.ledger.whole_refusals`."""
        calls = group.calls
        named = [
            [one for one in error.problems if kind.is_about(one.row, call, calls)] for call in calls
        ]
        blameless = [one for one, its in zip(group.live, named, strict=True) if not its]
        for member, problems in zip(group.live, named, strict=True):
            if problems:
                member.answer = error.about(problems)
        rest = _Group(blameless)
        if calls[0].path != CREATE:
            if calls[0].method == "PATCH":  # doing it twice changes nothing more
                self._each(blameless)
            else:
                rest.fail(error.recast(OutcomeUnknown))
        elif whole_refusals.are_whole(self._settings.account):
            rest.fail(error.recast(InBadCompany))
        else:
            references = [one.body[0]["request_id"] for one in rest.calls]
            whole_refusals.doubt(self._settings.account, references)
            rest.fail(error.recast(OutcomeUnknown))

    def _without_company(self, group: _Group, error: AmoError) -> None:
        if group.calls[0].path == CREATE:  # each must claim anew
            group.fail(error.recast(InBadCompany))
        else:
            self._each(group.live)


class NobodyLeft(ComeBack):
    """Every delivery of a request has dropped out before it was sent."""


class _Group:
    """Deliveries whose requests go out as one; ``live`` are those that have not dropped out."""

    def __init__(self, members: Iterable[_Member[Any]]) -> None:
        self.live = list(members)

    @property
    def calls(self) -> list[Call]:
        """What those ask for who are left."""
        return [cast(Call, one.asks) for one in self.live]

    def checkpoint(self) -> None:
        """Of each. Raises :class:`NobodyLeft`."""
        self._call(lambda asked: asked.checkpoint)

    def just_before(self) -> None:
        """Of each. Raises :class:`NobodyLeft`."""
        self._call(lambda asked: asked.just_before if isinstance(asked, Call) else nothing)

    def _call(self, hook_of: Callable[[Call | _Once], Hook]) -> None:
        asking, self.live = self.live, []
        for start in range(0, len(asking), WAVE):
            with wave():
                self.live += [
                    one
                    for one in asking[start : start + WAVE]
                    if one.asks and one.call_hook(hook_of(one.asks))
                ]
        if not self.live:
            raise NobodyLeft("nobody is left to send this for")

    def answer(self, answers: Sequence[Any]) -> None:
        """Give each its own."""
        for member, answer in zip(self.live, answers, strict=True):
            member.answer = answer

    def fail(self, error: AmoError) -> None:
        """The same error for each."""
        self.answer([copy.copy(error) for _ in self.live])


@contextmanager
def wave() -> Iterator[None]:
    """One transaction for what several deliveries write."""
    with write_turn(), transaction.atomic():
        yield


@contextmanager
def side_by_side(settings: conf.AmoSettings) -> Iterator[Together]:
    """Deliveries of the configured account. Raises :class:`~amocrm.errors.AccountPaused` when the
    configured token cannot be one."""
    with connect(settings) as client:
        yield Together(cast(Sender, client.sender), settings)


def _turn(asked: Call | _Once | None) -> int:
    """Reads come first, notes last."""
    match asked:
        case _Once():
            return 1
        case Call(method="GET"):
            return 0
        case Call(path=path) if path.endswith("/notes"):
            return 3
        case _:
            return 2


def _grouped(members: Iterable[_Member[Any]]) -> list[tuple[Any, list[_Member[Any]]]]:
    """Who may ask together, and as what: a kind of bulk request, or the very same question."""
    found: dict[Hashable, list[_Member[Any]]] = {}
    for member in members:
        found.setdefault(_kind(member), []).append(member)
    return list(found.items())


def _kind(member: _Member[Any]) -> Hashable:
    match member.asks:
        case _Once(key=key):
            return ("once", key)
        case Call(method="GET", path=path, params=params) as call:
            return bulk_of(call) or (path, repr(sorted((params or {}).items())))
        case Call() as call:
            return bulk_of(call) or id(member)
    raise AssertionError("it asks for nothing")


def _portions(kind: Bulk, members: Iterable[_Member[Any]]) -> list[list[_Member[Any]]]:
    """As many in a request as amoCRM takes."""
    portions: list[list[_Member[Any]]] = []
    weight = 0
    for member in members:
        its = kind.weight(cast(Call, member.asks))
        if not portions or weight + its > kind.most:
            portions.append([])
            weight = 0
        portions[-1].append(member)
        weight += its
    return portions
