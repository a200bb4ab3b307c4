"""What Celery runs. A message only says that there is work: any may be lost, or come twice."""

from __future__ import annotations

import io
import logging
from uuid import UUID

from celery import shared_task
from django.core.management import CommandError, call_command

from leads.delivery.attempt import deliver
from leads.delivery.dispatch import DELIVER_TASK
from leads.delivery.sweep import dispatch_due

logger = logging.getLogger(__name__)


@shared_task(name=DELIVER_TASK)
def deliver_submission(submission_id: str) -> None:
    """Deliver one submission if it is due and nobody else is at it."""
    deliver(UUID(submission_id))


@shared_task(name="leads.tasks.sweep")
def sweep() -> None:
    """Dispatch what is due."""
    dispatch_due()


@shared_task(name="leads.tasks.find_duplicate_leads")
def find_duplicate_leads() -> None:
    """Every night: look for people with more than one active lead, and warn of them."""
    out, progress = io.StringIO(), io.StringIO()  # neither is a line of the log
    try:
        call_command("find_duplicate_leads", stdout=out, stderr=progress)
    except CommandError as error:
        logger.warning("⚠️ Could not look for people with more than one active lead: %s", error)
    except SystemExit as ended:
        if ended.code:
            last_line = out.getvalue().strip().splitlines()[-1]
            logger.warning("⚠️ People with more than one active lead: %s", last_line)
