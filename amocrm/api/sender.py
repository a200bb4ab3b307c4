"""One call to the account by the rules that hold for everybody: pause, limit, checkpoint.

It never repeats a request: whether a call may be made again is for the caller to know. What a
response means for the whole account is told to every process here.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from amocrm.api import pause, rate_limit, responses
from amocrm.api.responses import ApiResponse, Meaning
from amocrm.api.transport import Exchange
from amocrm.errors import AccountPaused, AmoError, ComeBack, NotDone
from amocrm.log_context import get_logger

logger = get_logger(__name__)

# How often a checkpoint is repeated because it outlasted the permit.
CHECKPOINTS = 3
# Seconds after the last of them, claiming included. Whoever could not get another permit by then
# gives up; so does whoever has stalled for longer and knows it only now.
LATE_MAX_WAIT = 4.0
LONGEST_STALL = 5.0

Hook = Callable[[], None]

CREATE = "leads/complex"
_ENTITY = re.compile(r"(?:leads|contacts)/\d+")


def nothing() -> None:
    """The hook of who has nothing to do just before."""


class Sender:
    """Sends to one account. The limiter, the exchange and the checkpoint are injected."""

    def __init__(
        self, *, exchange: Exchange, account: str, limiter: rate_limit.Limiter, max_wait: float
    ) -> None:
        """``max_wait``: seconds to wait for a permit of the limiter."""
        self._exchange = exchange
        self._account = account
        self._limiter = limiter
        self._max_wait = max_wait
        self._checkpoint: Hook = nothing
        self._heeds_pause = True

    def guarded_by(self, checkpoint: Hook) -> Sender:
        """The same sender, calling ``checkpoint`` before every request, reads included."""
        guarded = copy.copy(self)
        guarded._checkpoint = checkpoint
        return guarded

    def probing(self) -> Sender:
        """The same sender, speaking to the account although it is paused."""
        prober = copy.copy(self)
        prober._heeds_pause = False
        return prober

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        just_before: Hook = nothing,
    ) -> ApiResponse:
        """The answer of a success; what :mod:`amocrm.errors` lists is raised for any other.

        ``just_before`` runs between the checkpoint and the sending, and may raise. ``body`` may be
        a function: it is called after that.
        """
        permit = self._acquire_permit()
        started, sent_at = time.monotonic(), timezone.now()
        just_before()
        if not permit.is_fresh:
            # Too long ago to be counted as sent then. Where a commit is slow and others wait, too,
            # there is hardly one at once; giving up then would cost all that was read.
            self._limiter.acquire(max(0.0, LATE_MAX_WAIT - (time.monotonic() - started)))
            self._check_pause()
        if time.monotonic() - started > LONGEST_STALL:
            raise ComeBack("this process stalled before it could send")
        sent = body() if callable(body) else body
        started = time.monotonic()
        response = self._exchange(method, path, params, sent)
        logger.debug(
            "amoCRM %s %s: %s in %d ms, request %s",
            method,
            path,
            response.status,
            (time.monotonic() - started) * 1000,
            response.request_id,
        )
        row = responses.rule_for(response)
        if row is None:
            return response
        error = responses.error_for(row, response, is_write=method != "GET")
        match row.meaning:
            case Meaning.BACKOFF:
                pause.rate_limited(self._account, response.retry_after, str(error), sent_at=sent_at)
            case Meaning.FORBIDDEN if (what := _one_thing(path, sent)) and self._heeds_pause:
                if not pause.is_forbidden_to_everybody(self._account, what):
                    # A lead that is not made yet may be made once somebody gives the right.
                    raise error.recast(NotDone) if path == CREATE else error
                error = self._paused(row, error, sent_at)
            case Meaning.BLOCKED if self._heeds_pause and self._answers():
                # Not amoCRM's: a network in front of it refused this one call.
                raise error.recast(NotDone)
            case Meaning.PAUSE | Meaning.FORBIDDEN | Meaning.BLOCKED:
                error = self._paused(row, error, sent_at)
        raise error

    def _paused(
        self, row: responses.ResponseRule, error: AmoError, sent_at: datetime
    ) -> AccountPaused:
        """Stop everybody, or as a probe say why the account is still paused."""
        if self._heeds_pause:
            pause.begin(self._account, row.kind, str(error), sent_at=sent_at)
        else:
            pause.update_reason(self._account, row.kind, str(error))
        return error.recast(AccountPaused)

    def _answers(self) -> bool:
        """Ask the account once whether it speaks to us at all."""
        try:
            self._limiter.acquire(self._max_wait)
            return responses.rule_for(self._exchange("GET", "account", None, None)) is None
        except AmoError:
            return False

    def _acquire_permit(self) -> rate_limit.Permit:
        """Wait for a permit, then pass the checkpoint while it is good.

        A permit is good for a moment only. Were it used after a checkpoint that took long (a
        busy database) or before a TLS handshake, requests would arrive closer together than the
        limit allows.
        """
        for _ in range(CHECKPOINTS):
            self._check_pause()
            self._exchange.warm_up()
            permit = self._limiter.acquire(self._max_wait)
            self._check_pause()  # others may have been told to stop while we waited
            self._checkpoint()
            if permit.is_fresh:
                break
        return permit

    def _check_pause(self) -> None:
        if self._heeds_pause:
            pause.check(self._account)


def _one_thing(path: str, body: Any) -> str:
    """The lead or contact that a call is about, or the submission that is to become a lead; empty
    where it is about all of them."""
    if path == CREATE:
        return f"submission {body[0].get('request_id', '')}"
    found = _ENTITY.match(path)
    return found[0] if found else ""
