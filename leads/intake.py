"""Taking a form: one committed row, then a message to the workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from amocrm import log_context
from amocrm.identity import IdentityKey
from leads.delivery.dispatch import dispatch
from leads.models import Submission

logger = log_context.get_logger(__name__)


class KeyReused(Exception):
    """The idempotency key belongs to a submission with another body."""


@dataclass(frozen=True)
class Accepted:
    """A submission that is committed."""

    id: UUID
    status: str


def accept_submission(
    *,
    form: Submission.Form,
    data: Mapping[str, Any],
    named: Iterable[IdentityKey],
    idempotency_key: str | None,
    body: object = None,
) -> Accepted:
    """Keep a validated form; on return it is committed.

    ``data`` has the names of the model's fields, ``named`` is whom the log names. With a key,
    ``body`` (what was sent, parsed; ``data`` if not given) tells a repetition from another form.
    Neither Redis nor the CRM is needed. Raises :class:`KeyReused`.
    """
    digest = digest_of(dict(data) if body is None else body) if idempotency_key else ""
    if known := _find(form, idempotency_key):
        return _replay(known, digest)
    submission = Submission(
        form=form, idempotency_key=idempotency_key or None, body_digest=digest, **data
    )
    try:
        with transaction.atomic(durable=True):
            submission.save(force_insert=True)
            transaction.on_commit(partial(_log_accepted, submission, named), robust=True)
            transaction.on_commit(partial(dispatch, [submission.pk]), robust=True)
    except IntegrityError:  # its twin was quicker
        known = _find(form, idempotency_key)
        if known is None:
            raise
        return _replay(known, digest)
    return Accepted(id=submission.pk, status=submission.status)


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


def _find(form: Submission.Form, key: str | None) -> Submission | None:
    return Submission.objects.filter(form=form, idempotency_key=key).first() if key else None


def _replay(known: Submission, digest: str) -> Accepted:
    if known.body_digest != digest:
        raise KeyReused
    return Accepted(id=known.pk, status=known.status)


def _log_accepted(submission: Submission, named: Iterable[IdentityKey]) -> None:
    with log_context.log_context(named=named, reference=str(submission.pk)):
        logger.info("📥 Accepted %s", submission.form)
