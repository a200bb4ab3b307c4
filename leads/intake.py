"""Taking a form: one committed row, then a ring for the workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from amocrm import counters, log_context
from amocrm.identity import IdentityKey
from amocrm.write_turns import write_turn
from leads import conf
from leads.delivery.bell import bell
from leads.delivery.fairness import turn_after
from leads.limits import PersonLimit
from leads.models import Submission

logger = log_context.get_logger(__name__)


class KeyReused(Exception):
    """The idempotency key belongs to a submission with another body."""


class TooManyOfPerson(Exception):
    """The e-mail or phone has been in as many forms as it may be: ``wait`` seconds, then again."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"enough forms named this person for {wait} s")
        self.wait = wait


@dataclass(frozen=True)
class Accepted:
    """A submission that is committed."""

    id: UUID
    status: str


def accept_submission(
    *,
    form: str,
    data: Mapping[str, Any],
    named: Collection[IdentityKey],
    idempotency_key: str | None,
    body: object = None,
    client: str = "",
    last_turn: datetime | None = None,
    is_suspect: bool = False,
    is_limited: bool = True,
) -> Accepted:
    """Keep a validated form; on return it is committed.

    ``form`` is the slug, ``data`` has the names of the model's fields, ``named`` is whom the form
    names. ``body`` (what was sent, parsed; ``data`` if not given) tells a repetition from another
    form: with a key always, without one for as long as the settings say. ``client`` is who sent it,
    and ``last_turn`` the turn of what came from there before.
    One that ``is_suspect`` is kept in quarantine, for an operator to release.
    Neither Redis nor the CRM is needed. Raises :class:`KeyReused` and, for a new form that
    ``is_limited``, :class:`TooManyOfPerson`.
    """
    digest = digest_of(dict(data) if body is None else body)
    submission = Submission(
        form_id=form,
        client=client,
        idempotency_key=idempotency_key or None,
        body_digest=digest,
        # Nearly every form is the first one with its body.
        repetition=0 if conf.current().repeat_within and not idempotency_key else None,
        status=Submission.Status.QUARANTINED if is_suspect else Submission.Status.ACCEPTED,
        turn_at=turn_after(last_turn, timezone.now()),
        **data,
    )
    # What programs send in somebody's name must not use up their limit.
    is_asked = is_limited and not is_suspect
    wait = PersonLimit().seconds_until(named) if is_asked else 0
    kept = (None if wait else _inserted(submission, named)) or _repeated(submission)
    if kept is None:
        if wait:
            raise TooManyOfPerson(wait)
        kept = _inserted_behind(submission, named)
    if kept.body_digest != digest:
        raise KeyReused
    if kept is submission:
        if not is_suspect:
            PersonLimit().count(named)
    elif not idempotency_key:
        _log("🔁 Repeated %s, answered like the first one", kept, named)
    return Accepted(id=kept.pk, status=kept.told_status)


def _inserted(submission: Submission, named: Collection[IdentityKey]) -> Submission | None:
    """``submission``, committed; ``None`` where another one stands in its way."""
    try:
        return _insert(submission, named)
    except IntegrityError:
        return None


def _insert(submission: Submission, named: Collection[IdentityKey]) -> Submission:
    # One INSERT is committed by itself, in fewer steps than a transaction around it. In one of the
    # caller's it would not be: `durable` refuses that, and lets only a test's own pass.
    connection = transaction.get_connection()
    durably = transaction.atomic(durable=True) if connection.in_atomic_block else nullcontext()
    with write_turn(), durably:
        submission.save(force_insert=True)
    transaction.on_commit(partial(_announce, submission, named), robust=True)
    return submission


def _announce(submission: Submission, named: Collection[IdentityKey]) -> None:
    if submission.status == Submission.Status.QUARANTINED:
        _log("🚧 Quarantined %s", submission, named)
        counters.count(counters.Event.QUARANTINED)
    else:
        _log("📥 Accepted %s", submission, named)
        bell.ring()


def _repeated(submission: Submission) -> Submission | None:
    """The one that it repeats: of the same key, or lately of the same body."""
    same = _alike(submission)
    if submission.idempotency_key is None:
        since = submission.created_at - conf.current().repeat_within
        same = same.filter(created_at__gt=since)
    return same.order_by("-created_at").first()


def _inserted_behind(submission: Submission, named: Collection[IdentityKey]) -> Submission:
    """It, numbered behind the others of its body. The number is unique: of twins in two processes
    one is kept. Raises ``IntegrityError`` where that is not what stands in its way."""
    if submission.repetition is not None:
        last = _alike(submission).aggregate(last=Max("repetition"))["last"]
        submission.repetition = 0 if last is None else last + 1
    try:
        return _insert(submission, named)
    except IntegrityError:  # its twin was quicker
        twin = _alike(submission).filter(repetition=submission.repetition).first()
        if twin is None:
            raise
        return twin


def _alike(submission: Submission) -> QuerySet[Submission]:
    rows = Submission.objects.filter(form=submission.form_id)
    if submission.idempotency_key is not None:
        return rows.filter(idempotency_key=submission.idempotency_key)
    return rows.filter(body_digest=submission.body_digest, repetition__isnull=False)


def digest_of(body: object) -> str:
    """The same for two bodies that are equal as JSON: order of keys and ``1.0`` do not count."""
    text = json.dumps(_plain(body), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _log(line: str, submission: Submission, named: Collection[IdentityKey]) -> None:
    with log_context.log_context(named=named, reference=str(submission.pk)):
        logger.info(line, submission.form_id)
