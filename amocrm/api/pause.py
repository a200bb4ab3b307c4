"""Whether the account may be asked now.

A *backoff* is short and ends by itself: after one 429 every process waits for as long as the
answer asks. A *pause* has a reason that concerns everybody (the token, the bill, a block, a
stage that is gone) and ends when a probe succeeds (:mod:`amocrm.account.probe`) or an operator says
so. Both are rows in the database, so that they hold for every process, with Redis or without.

Many calls are under way when an account stops working, and their answers come in for seconds.
So an answer counts only if its call was sent after ``backoff_until``, which is when the last
backoff ends and, after a resume, when that was: what was sent earlier is old news.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from amocrm import conf
from amocrm.counters import Event, count
from amocrm.errors import AccountPaused
from amocrm.log_context import get_logger
from amocrm.models import AccountState

logger = get_logger(__name__)

DEFAULT_BACKOFF = 2.0  # seconds after a 429 that names no pause
LONGEST_BACKOFF = 60.0  # seconds; what asks for more is a pause, and is said to be one
LONGEST_WAIT = 24 * 3600.0  # seconds until the first probe, whatever amoCRM asks for
RATE_WINDOW = timedelta(minutes=1)
RATE_LIMITS_TO_PAUSE = 3
PROBE_AFTER = tuple(timedelta(seconds=seconds) for seconds in (15, 60, 2 * 60, 5 * 60, 10 * 60))
# Kinds that only a write meets: a probe, which reads, may succeed and prove nothing.
MET_BY_WRITES = frozenset(("stage", "scope", "unpaid", "rights"))
RELAPSE = timedelta(minutes=15)  # so soon after a probe's success it is the same pause as before


@dataclass(frozen=True)
class AccountPause:
    """Why nothing is delivered, since when, and when the next probe is due."""

    kind: str
    reason: str
    since: datetime
    until: datetime | None


def current() -> AccountPause | None:
    """The pause of the configured account, ``None`` while it works."""
    return _pause_of(_state(conf.current().account))


def check(account: str) -> None:
    """Raise :class:`~amocrm.errors.AccountPaused` while the account is paused or backing off."""
    state = _state(account)
    if state is None:
        return
    if state.paused_since:
        raise AccountPaused(f"amoCRM is paused: {state.pause_reason}", until=state.next_probe_at)
    if state.backoff_until and state.backoff_until > timezone.now():
        raise AccountPaused("amoCRM asked everybody to slow down", until=state.backoff_until)


def begin(
    account: str,
    kind: str,
    reason: str,
    *,
    first_probe: timedelta | None = None,
    sent_at: datetime | None = None,
) -> None:
    """Pause the account. One that is paused already keeps its reason and its schedule.

    ``sent_at`` is when the call was sent whose answer says so; an answer to one sent before
    the last resume changes nothing.
    """
    now = timezone.now()
    state, _ = AccountState.objects.get_or_create(account=account)
    probes = state.probes if _is_relapse(state, kind, now) else 0
    until = now + (_wait_after(probes) if first_probe is None else first_probe)
    begun = (
        _that_heeds(account, sent_at)
        .filter(paused_since__isnull=True)
        .update(
            paused_since=now,
            pause_kind=kind,
            pause_reason=reason,
            next_probe_at=until,
            probes=probes,
        )
    )
    if begun:
        logger.error("⏸ amoCRM PAUSED for everybody until %s: %s", _shown(until), reason)
        count(Event.ACCOUNT_PAUSED)


def is_forbidden_to_everybody(account: str, what: str) -> bool:
    """Remember that ``what`` (a lead, a contact, a submission) was forbidden; whether something
    else was within :data:`RELAPSE`, so that it is not the trouble of one alone."""
    now = timezone.now()
    AccountState.objects.get_or_create(account=account)
    others = AccountState.objects.filter(account=account, forbidden_at__gt=now - RELAPSE)
    if others.exclude(forbidden__in=("", what)).exists():
        return True
    AccountState.objects.filter(account=account).update(forbidden=what, forbidden_at=now)
    return False


def update_reason(account: str, kind: str, reason: str) -> None:
    """A probe found a paused account in other trouble than before: say so. Its schedule and
    its beginning stay."""
    AccountState.objects.filter(account=account, paused_since__isnull=False).exclude(
        pause_kind=kind
    ).update(pause_kind=kind, pause_reason=reason)


def rate_limited(
    account: str, retry_after: float | None, reason: str, *, sent_at: datetime | None = None
) -> None:
    """Let every process back off for ``retry_after`` seconds after a 429; pause after the third
    within a minute, and where amoCRM asks for more than :data:`LONGEST_BACKOFF`.

    A backoff never gets shorter. Several 429 to calls that were under way together count as one.
    """
    count(Event.RATE_LIMITED)
    now = timezone.now()
    wait = timedelta(seconds=round(min(retry_after or DEFAULT_BACKOFF, LONGEST_WAIT), 1))
    AccountState.objects.get_or_create(account=account)
    with transaction.atomic():
        state = AccountState.objects.select_for_update().get(account=account)
        is_news = sent_at is None or state.backoff_until is None or state.backoff_until <= sent_at
        recent = [
            moment
            for moment in state.rate_limited_at
            if datetime.fromisoformat(moment) > now - RATE_WINDOW
        ]
        if is_news:
            recent.append(now.isoformat())
        state.rate_limited_at = recent
        state.backoff_until = max(now + wait, state.backoff_until or now)
        if state.next_probe_at:
            state.next_probe_at = max(state.next_probe_at, state.backoff_until)
        state.save(update_fields=["rate_limited_at", "backoff_until", "next_probe_at"])
    logger.warning("🐢 amoCRM asks everybody to wait %d s: %s", wait.total_seconds(), reason)
    if wait.total_seconds() > LONGEST_BACKOFF:
        begin(account, "rate", f"{reason} (amoCRM asks to wait {wait})", first_probe=wait)
    elif len(recent) >= RATE_LIMITS_TO_PAUSE:
        begin(account, "rate", reason, first_probe=max(wait, PROBE_AFTER[0]))


def resume(by: str, *, since: datetime | None = None) -> bool:
    """End the pause of the configured account; ``by`` says who did. False if there was none.

    With ``since``, only the pause that began then, because a probe succeeded: should the same
    trouble show at once again, its schedule goes on instead of beginning anew.
    """
    paused = AccountState.objects.filter(account=conf.current().account, paused_since__isnull=False)
    if since is not None:
        paused = paused.filter(paused_since=since)
    forgotten = {"pause_kind": "", "probes": 0} if since is None else {}
    ended = paused.update(
        paused_since=None,
        pause_reason="",
        next_probe_at=None,
        backoff_until=timezone.now(),
        rate_limited_at=[],
        **forgotten,
    )
    if ended:
        logger.warning("▶️ amoCRM RESUMED by %s", by)
    return bool(ended)


def has_ended_since(account: str, moment: datetime) -> bool:
    """Whether a backoff or a pause of this account ended, or ends, after ``moment``."""
    return AccountState.objects.filter(account=account, backoff_until__gt=moment).exists()


def take_probe(account: str) -> AccountPause | None:
    """Take the probe that is due, so that one process makes it: answers what it is about.

    ``None`` when the account is not paused, no probe is due or another process took it.
    """
    now = timezone.now()
    due = AccountState.objects.filter(
        account=account, paused_since__isnull=False, next_probe_at__lte=now
    ).first()
    if due is None:
        return None
    wait = _wait_after(due.probes + 1)
    taken = AccountState.objects.filter(
        pk=due.pk, paused_since=due.paused_since, next_probe_at=due.next_probe_at
    ).update(next_probe_at=now + wait, probes=F("probes") + 1)
    return _pause_of(due) if taken else None


def _wait_after(probes: int) -> timedelta:
    """How long to wait for the next probe after so many."""
    return PROBE_AFTER[min(probes, len(PROBE_AFTER) - 1)]


def _is_relapse(state: AccountState, kind: str, now: datetime) -> bool:
    ended_at = state.backoff_until
    return (
        kind in MET_BY_WRITES
        and state.pause_kind == kind
        and ended_at is not None
        and now - ended_at < RELAPSE
    )


def _shown(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"


def _state(account: str) -> AccountState | None:
    return AccountState.objects.filter(account=account).first()


def _pause_of(state: AccountState | None) -> AccountPause | None:
    if state is None or state.paused_since is None:
        return None
    return AccountPause(
        kind=state.pause_kind,
        reason=state.pause_reason,
        since=state.paused_since,
        until=state.next_probe_at,
    )


def _that_heeds(account: str, sent_at: datetime | None) -> QuerySet[AccountState]:
    states = AccountState.objects.filter(account=account)
    if sent_at is None:
        return states
    return states.filter(Q(backoff_until__isnull=True) | Q(backoff_until__lte=sent_at))
