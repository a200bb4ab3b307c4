"""Taking a form: one committed row, then a message to the workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from amocrm import counters, log_context
from amocrm.identity import IdentityKey
from leads import conf
from leads.delivery.bell import bell
from leads.delivery.fairness import turn_of
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
    is_suspect: bool = False,
    is_limited: bool = True,
) -> Accepted:
    """Keep a validated form; on return it is committed.

    ``form`` is the slug, ``data`` has the names of the model's fields, ``named`` is whom the form
    names. ``body`` (what was sent, parsed; ``data`` if not given) tells a repetition from another
    form: with a key always, without one for as long as the settings say. ``client`` is who sent it.
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
        status=Submission.Status.QUARANTINED if is_suspect else Submission.Status.ACCEPTED,
        **data,
    )
    known = _find(form, idempotency_key) if idempotency_key else _repeated(submission)
    if known is None:
        if is_limited and (wait := PersonLimit().seconds_until(named)):
            raise TooManyOfPerson(wait)
        submission.turn_at = turn_of(client, submission.created_at)
        try:
            _insert(submission, named)
        except IntegrityError:  # its twin was quicker
            known = _find(form, idempotency_key) or _twin(submission)
            if known is None:
                raise
        else:
            PersonLimit().count(named)
            return Accepted(id=submission.pk, status=submission.told_status)
    if known.body_digest != digest:
        raise KeyReused
    if not idempotency_key:
        _log("🔁 Repeated %s, answered like the first one", known, named)
    return Accepted(id=known.pk, status=known.told_status)


def _insert(submission: Submission, named: Collection[IdentityKey]) -> None:
    with transaction.atomic(durable=True):
        submission.save(force_insert=True)
        transaction.on_commit(partial(_announce, submission, named), robust=True)


def _announce(submission: Submission, named: Collection[IdentityKey]) -> None:
    if submission.status == Submission.Status.QUARANTINED:
        _log("🚧 Quarantined %s", submission, named)
        counters.count(counters.Event.QUARANTINED)
    else:
        _log("📥 Accepted %s", submission, named)
        bell.ring(submission.pk)


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


def _find(form: str, key: str | None) -> Submission | None:
    return Submission.objects.filter(form=form, idempotency_key=key).first() if key else None


def _repeated(submission: Submission) -> Submission | None:
    """The submission that this one repeats within the time for that; else number it behind the
    latest one of the same body. The number is unique, so of concurrent twins one is kept."""
    within = conf.current().repeat_within
    if not within:
        return None
    same = Submission.objects.filter(form=submission.form_id, body_digest=submission.body_digest)
    latest = same.filter(repetition__isnull=False).order_by("-repetition").first()
    if latest is not None and submission.created_at - latest.created_at < within:
        return latest
    submission.repetition = 0 if latest is None else (latest.repetition or 0) + 1
    return None


def _twin(submission: Submission) -> Submission | None:
    if submission.repetition is None:
        return None
    return Submission.objects.filter(
        form=submission.form_id,
        body_digest=submission.body_digest,
        repetition=submission.repetition,
    ).first()


def _log(line: str, submission: Submission, named: Collection[IdentityKey]) -> None:
    with log_context.log_context(named=named, reference=str(submission.pk)):
        logger.info(line, submission.form_id)
