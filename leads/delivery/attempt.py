"""One try to bring a submission to the CRM: claim, upsert, finish.

The row decides: a try begins with a conditional claim and ends with a conditional write, so a
worker that stalls, dies or is overtaken changes nothing that is no longer its own. No
transaction is open while ``upsert_lead`` speaks to the CRM.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from amocrm import log_context
from amocrm.contract import LeadRequest, LeadResult, Progress
from amocrm.errors import AmoError, ClaimLost
from amocrm.upsert.protocol import upsert_lead
from leads.delivery import lease, outcomes
from leads.delivery.connections import drop_old_connections
from leads.delivery.lease import Claim
from leads.delivery.mapping import lead_request
from leads.delivery.outcomes import Ending
from leads.delivery.progress import SubmissionProgress
from leads.delivery.retry import Chance
from leads.log_context import about
from leads.models import DeliveryAttempt, Submission

logger = log_context.logger(__name__)

Upsert = Callable[[LeadRequest, Progress], LeadResult]


def deliver(
    submission_id: UUID, *, upsert: Upsert = upsert_lead, chance: Chance = random.random
) -> DeliveryAttempt.Outcome | None:
    """Try once to deliver a submission; ``None`` if it is not due or somebody is at it.

    Whatever goes wrong with the CRM or in our own code ends up on the submission and in a
    ``DeliveryAttempt``; only errors of the database come out, and then the claim expires.
    """
    claim = lease.take(submission_id)
    if claim is None:
        return None
    submission = Submission.objects.get(pk=submission_id)
    with about(submission):
        return _deliver_claimed(submission, claim, upsert, chance)


def _deliver_claimed(
    submission: Submission, claim: Claim, upsert: Upsert, chance: Chance
) -> DeliveryAttempt.Outcome:
    started_at, clock = timezone.now(), time.monotonic()
    try:
        result = upsert(lead_request(submission), SubmissionProgress(submission, claim))
        ending = outcomes.delivered(result, attempts=submission.attempts)
    except AmoError as error:
        ending = outcomes.failed(error, attempts=submission.attempts, chance=chance)
    except Exception as error:
        logger.exception("💥 Delivery crashed")
        drop_old_connections()  # a broken one must not keep us from writing this down
        ending = outcomes.failed(error, attempts=submission.attempts, chance=chance)
    except BaseException:  # the process is being stopped
        with suppress(ClaimLost, DatabaseError):
            claim.give_up(rung_at=None)
        raise
    duration_ms = round((time.monotonic() - clock) * 1000)
    still_ours = _finish(submission, claim, ending, started_at, duration_ms)
    _log(ending, still_ours=still_ours)
    return ending.outcome


def _finish(
    submission: Submission, claim: Claim, ending: Ending, started_at: datetime, duration_ms: int
) -> bool:
    """Write down the try, and its result if the claim still holds; whether it did."""
    with transaction.atomic():
        DeliveryAttempt.objects.create(
            submission=submission,
            started_at=started_at,
            duration_ms=duration_ms,
            outcome=ending.outcome,
            http_status=ending.http_status,
            request_id=ending.request_id,
            error=ending.error,
        )
        try:
            claim.give_up(**ending.changes)
        except ClaimLost:  # the try is written down all the same
            return False
    return True


def _log(ending: Ending, *, still_ours: bool) -> None:
    if not still_ours:
        logger.warning("🏳️ The claim was lost, its result is left to the new holder")
    elif ending.outcome == DeliveryAttempt.Outcome.DELIVERED:
        logger.info(
            "📬 Delivered: lead ID %s %s", ending.changes["lead_id"], ending.changes["action"]
        )
    elif ending.is_final:
        logger.error("❌ Failed after %d attempts: %s", ending.changes["attempts"], ending.error)
    else:
        seconds = (ending.changes["next_attempt_at"] - timezone.now()).total_seconds()
        logger.info("⏳ %s, again in %.0f s: %s", ending.outcome, max(seconds, 0), ending.error)
