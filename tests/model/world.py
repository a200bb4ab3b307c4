"""The world of a model check: the real protocol, ledger and sandbox, with the clock, the
network and the processes in the scheduler's hands, and without any lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Any
from unittest import mock

import requests
from django.db import connection
from django.utils import timezone
from requests.adapters import HTTPAdapter
from urllib3.response import HTTPResponse

from amocrm import conf, ledger, mirror, models
from amocrm.api import pause, transport
from amocrm.api.client import Client
from amocrm.api.rate_limit import Limiter, Permit
from amocrm.api.sender import Sender
from amocrm.api.tokens import LongLivedToken
from amocrm.api.transport import Exchange
from amocrm.contract import LeadRequest, LeadResult
from amocrm.errors import AmoError, GoAlone
from amocrm.identity import IdentityKey
from amocrm.ledger import decisions
from amocrm.ledger.decisions import CannotPart
from amocrm.mirror import expected
from amocrm.mirror.digests import Digests
from amocrm.sandbox.api.request import Request
from amocrm.sandbox.api.responses import invalid
from amocrm.sandbox.sandbox import Sandbox
from amocrm.sandbox.settings import Settings
from amocrm.upsert import protocol, together
from tests.amocrm.upsert.deliveries import Remembered
from tests.model.scheduler import step

SETTLE = timedelta(seconds=300)
LEDGER_STEPS = (
    "resolve",
    "read",
    "claim",
    "record",
    "adopt",
    "release",
    "supersede",
    "link",
    "mark_on_contact",
    "forget_contact",
    "set_apart",
    "partners",
    "version_of",
)


class NoLimit(Limiter):
    """The limit is not what is being checked."""

    def __init__(self) -> None:
        self.max_rps = 1000

    def acquire(self, max_wait: float) -> Permit:
        return Permit()


@dataclass
class Submission:
    """One submission and what its deliveries remember between tries."""

    request: LeadRequest
    progress: Remembered = field(default_factory=Remembered)
    is_done: bool = False

    def work(self) -> None:
        """One attempt, as a worker makes it. A crash leaves the rest as it is."""
        protocol.upsert_lead(self.request, self.progress)
        self.is_done = True


@dataclass
class Batch:
    """Submissions that one worker delivers together. What is put aside goes alone at the next
    attempt, as any other worker would deliver it."""

    submissions: list[Submission]
    alone: list[Submission] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether all are."""
        return all(one.is_done for one in self.submissions)

    def work(self) -> None:
        """One attempt of each. Errors are each one's own."""
        left = [one for one in self.submissions if not one.is_done]
        for one in (one for one in left if one in self.alone):
            with suppress(AmoError):
                one.work()
        if together := [one for one in left if one not in self.alone]:
            self._work_together(together)

    def _work_together(self, submissions: list[Submission]) -> None:
        with together.side_by_side(conf.current()) as company:
            jobs = [
                partial(protocol.upsert_lead, one.request, one.progress, together=company)
                for one in submissions
            ]
            for one, result in zip(submissions, company.run(jobs), strict=True):
                match result:
                    case LeadResult():
                        one.is_done = True
                    case GoAlone():
                        self.alone.append(one)
                    case AmoError():
                        continue
                    case _:
                        raise result


@dataclass
class Happening:
    """Something that other hands do in the CRM."""

    happens: Callable[[], None]
    is_done: bool = False

    def work(self) -> None:
        """Do it."""
        step("other hands")
        self.happens()
        self.is_done = True


@dataclass
class InOrder:
    """One job after another, each when the one before is done."""

    jobs: Sequence[Job]

    @property
    def is_done(self) -> bool:
        """Whether all are."""
        return all(job.is_done for job in self.jobs)

    def work(self) -> None:
        """Go on where the attempt before came to its end."""
        for job in self.jobs:
            if not job.is_done:
                job.work()


@dataclass
class Parting:
    """An operator who takes `key` off whoever has `other`, too; not somebody whose lead may be on
    its way."""

    key: IdentityKey
    other: IdentityKey
    is_done: bool = False

    def work(self) -> None:
        """Look who they are, and part them if they are one."""
        step("an operator looks")
        owners = ledger.owners(conf.current().account, [self.key, self.other])
        if self.key in owners and owners.get(self.other) == owners[self.key]:
            step("an operator parts")
            try:
                decisions.part(owners[self.key], {self.key}, by="operator")
            except (CannotPart, ledger.CreationPending):
                return  # told why: tries again
        self.is_done = True


Job = Submission | Batch | Happening | InOrder | Parting


def submissions_of(jobs: Iterable[Job]) -> list[Submission]:
    """All submissions in these."""
    found: list[Submission] = []
    for job in jobs:
        match job:
            case Submission():
                found.append(job)
            case Batch(submissions=submissions):
                found += submissions
            case InOrder(jobs=inner):
                found += submissions_of(inner)
    return found


class World:
    """Everything that is shared: the CRM, the clock, and requests still on their way."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(Settings(index_lag=10**9, rps=0, strangers=True))
        self.late: list[Request] = []
        self._set_clock(datetime(2026, 11, 23, 3, 0, tzinfo=UTC))

    def reset(self) -> None:
        """An empty CRM, an empty ledger."""
        self.sandbox.reset()
        self._set_clock(datetime(2026, 11, 23, 3, 0, tzinfo=UTC))
        self.late.clear()
        models.Person.objects.update(merged_into=None)
        for model in (
            models.MergeProposal,
            models.IgnoredIdentity,
            models.NamedTogether,
            models.DuplicateLead,
            models.Identity,
            models.Person,
            models.EventCount,
            models.AccountState,
            models.AccountBatches,
            models.MirrorEntry,
            models.MirrorState,
        ):
            model.objects.all()._raw_delete(connection.alias)  # nothing else hangs on them
        self.trust_the_mirror()
        together.size.reset()
        together.filters.reset()

    def trust_the_mirror(self) -> None:
        """It was walked while the CRM was empty, and has never lied."""
        settings = conf.current()
        expected.forget(settings.account, expected.of(settings.account))
        models.MirrorState.objects.create(
            account=settings.account,
            key=Digests(settings).key,
            walked_at=self.now,
            read_at=self.now - timedelta(days=1),
            comparisons=1000,
        )

    def read_clock(self) -> datetime:
        """What every worker's clock says."""
        return self.now

    def carry_out(self, request: Request) -> Any:
        """The CRM does what it was asked."""
        return self.sandbox.carry_out(request, self.sandbox.account.generation)

    def blame_the_first(self, request: Request) -> Any:
        """The CRM refuses a batch for its first row, and carries out the others all the same."""
        rows = json.loads(request.body)
        self.carry_out(_with_rows(request, lambda rows: rows[1:]))
        return invalid(
            {
                str(rows[0]["request_id"]): [
                    {"code": "NotSupportedChoice", "path": "tags_to_add.0.name", "detail": "No."}
                ]
            }
        )

    def apply_late(self) -> None:
        """What was held back happens now; nobody gets the answer."""
        for request in self.late:
            self.carry_out(request)
        self.late.clear()

    @property
    def is_index_behind(self) -> bool:
        """Whether something has been written that the search does not find yet."""
        return bool(self.sandbox.account.index._behind)

    def catch_up_index(self) -> None:
        """The search finds what has been written so far."""
        index = self.sandbox.account.index
        index.catch_up(self.sandbox.clock.seconds(), 0)

    def pass_settle(self) -> None:
        """``SETTLE_SECONDS`` pass. What is on its way arrives within them: the assumption."""
        self.apply_late()
        self._set_clock(self.now + SETTLE + timedelta(seconds=1))

    def _set_clock(self, now: datetime) -> None:
        self.now = now
        self.sandbox.clock.offset = (self.now - datetime.now(UTC)).total_seconds()


def _failures(request: Request) -> tuple[str, ...]:
    """What may become of a write; of a batch of leads also what is done and told of a part."""
    if request.method == "GET":
        return ()
    failures: tuple[str, ...] = ("lose", "late", "drop")
    if request.path.endswith("/complex") and len(json.loads(request.body)) > 1:
        failures += ("half", "mute", "blame")
    return failures


def _with_rows(request: Request, choose: Callable[[list[Any]], list[Any]]) -> Request:
    rows = choose(json.loads(request.body))
    return Request(request.method, request.target, request.headers, json.dumps(rows).encode())


class _Call:
    """A call that is connected and takes no time: a timer for each takes a thread for each."""

    is_connected = True
    is_over = False


class _Network(HTTPAdapter):
    """Hands requests to the sandbox, or does not, as the scheduler decides."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        target = request.path_url
        body = request.body or b""
        asked = Request(
            str(request.method),
            target,
            {"authorization": "Bearer token", "host": "crm"},
            body if isinstance(body, bytes) else body.encode(),
        )
        order = step(f"{request.method} {target.split('?')[0]}", failures=_failures(asked))
        if order == "late":
            self._world.late.append(asked)
        elif order == "half":
            self._world.carry_out(_with_rows(asked, lambda rows: rows[:1]))
        elif order == "blame":
            answer = self._world.blame_the_first(asked)
        elif order != "drop":
            answer = self._world.carry_out(asked)
        if order in ("late", "drop", "lose", "half"):
            raise requests.ConnectionError("the answer is lost")
        if request.path_url.endswith("/complex") and answer.status == 200:
            # In no order that anybody promises.
            answer = replace(answer, body=json.dumps(json.loads(answer.body)[::-1]).encode())
        if order == "mute":
            answer = replace(answer, body=json.dumps(json.loads(answer.body)[:1]).encode())
        step(f"answer to {request.method} {target.split('?')[0]}")
        raw = HTTPResponse(
            body=BytesIO(answer.body),
            status=answer.status,
            headers={"Content-Type": answer.content_type},
            preload_content=False,
        )
        return self.build_response(request, raw)


@contextmanager
def running(world: World) -> Iterator[None]:
    """Put the world under the protocol: its network, its clock, its steps."""

    @contextmanager
    def connect(settings: conf.AmoSettings) -> Iterator[Client]:
        with requests.Session() as session:
            session.trust_env = False  # looking for proxies takes a sixth of the time
            session.mount("http://", _Network(world))
            exchange = Exchange(
                base_url=settings.base_url,
                tokens=LongLivedToken("token"),
                session=session,
                timeout=5,
            )
            account = settings.account
            sender = Sender(exchange=exchange, account=account, limiter=NoLimit(), max_wait=1)
            yield Client(sender)

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(protocol, "connect", connect))
        patches.enter_context(mock.patch.object(together, "connect", connect))
        # Each write by itself: finer than the waves are, and any moment is one to die in.
        patches.enter_context(mock.patch.object(together, "wave", nullcontext))
        patches.enter_context(
            mock.patch.object(mirror, "contacts_with", _stepping("mirror", mirror.contacts_with))
        )
        patches.enter_context(mock.patch.object(timezone, "now", world.read_clock))
        patches.enter_context(
            mock.patch.object(transport, "limited_to", return_value=nullcontext(_Call()))
        )
        # No account is paused here (the judge sees to that), and asking takes a fifth of the time.
        patches.enter_context(mock.patch.object(pause, "check", return_value=None))
        patches.enter_context(mock.patch.object(pause, "has_ended_since", return_value=False))
        for name in LEDGER_STEPS:
            real = getattr(ledger, name)
            patches.enter_context(mock.patch.object(ledger, name, _stepping(name, real)))
        yield


def _stepping(name: str, real: Any) -> Any:
    def with_step(*args: Any, **kwargs: Any) -> Any:
        step(name)
        return real(*args, **kwargs)

    return with_step
