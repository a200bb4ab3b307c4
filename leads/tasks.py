"""What Celery runs. A message only says that there is work: any may be lost, or come twice.

Which submission a worker delivers is decided when it comes to it. The broker hands messages out in
the order in which they came, so those of one sender may stand before everybody else's.
"""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task

from amocrm.diagnostics import duplicate_search
from amocrm.errors import AmoError
from leads.delivery import backlog
from leads.delivery.attempt import deliver
from leads.delivery.dispatch import DELIVER_TASK
from leads.delivery.fairness import deliver_next
from leads.delivery.mirror_upkeep import CENSUS_TASK, look_after_mirror, tell_a_worker
from leads.delivery.sweep import dispatch_due

logger = logging.getLogger(__name__)


@shared_task(name=DELIVER_TASK)
def deliver_submission(submission_id: str) -> None:
    """Make one attempt: for the submission whose turn it is, which need not be this one.

    Each submission that becomes due sends a message, and each attempt takes one that is due, so
    there are messages enough for all of them. Ours is left for when nothing is due by our clock,
    which may be behind the one that found it so.
    """
    if deliver_next() is None:
        deliver(UUID(submission_id))


@shared_task(name="leads.tasks.sweep")
def sweep() -> None:
    """Send the workers a message for each submission that is due; warn of what stays behind;
    look after the mirror."""
    dispatch_due()
    backlog.warn_if_late()
    look_after_mirror(tell_a_worker)


@shared_task(name=CENSUS_TASK)
def find_duplicate_leads() -> None:
    """Every night, and where there is no mirror: list people with more than one active lead in the
    admin, and warn of them."""
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
