"""What Celery runs. A message only says that there is work: any may be lost, or come twice."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task

from amocrm.diagnostics import duplicate_search
from amocrm.errors import AmoError
from leads.delivery import backlog
from leads.delivery.attempt import deliver
from leads.delivery.dispatch import DELIVER_TASK
from leads.delivery.sweep import dispatch_due

logger = logging.getLogger(__name__)


@shared_task(name=DELIVER_TASK)
def deliver_submission(submission_id: str) -> None:
    """Deliver one submission if it is due and not leased already."""
    deliver(UUID(submission_id))


@shared_task(name="leads.tasks.sweep")
def sweep() -> None:
    """Send the workers a message for each submission that is due; warn of what stays behind."""
    dispatch_due()
    backlog.warn_if_late()


@shared_task(name="leads.tasks.find_duplicate_leads")
def find_duplicate_leads() -> None:
    """Every night: list people with more than one active lead in the admin, and warn of them."""
    try:
        found = duplicate_search.find_duplicates()
    except AmoError as error:
        logger.warning("⚠️ Could not look for people with more than one active lead: %s", error)
    else:
        if found.people:
            logger.warning(
                "⚠️ People with more than one active lead: %d (of %d active leads)",
                len(found.people),
                found.active_leads,
            )
