"""What Celery runs. A message only says that there is work: any may be lost, or come twice.

Which submission a worker delivers is decided when it comes to it. The broker hands messages out in
the order in which they came, so those of one sender may stand before everybody else's.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from amocrm.diagnostics import duplicate_search
from amocrm.errors import AmoError
from leads.delivery import backlog
from leads.delivery.dispatch import DELIVER_TASK, tell_workers
from leads.delivery.gathering import deliver_next
from leads.delivery.mirror_upkeep import CENSUS_TASK, look_after_mirror, tell_a_worker
from leads.delivery.sweep import ring_if_due

logger = logging.getLogger(__name__)
_is_stopping = threading.Event()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _is_stopping.set()


@shared_task(name=DELIVER_TASK)
def deliver_due(found_at: str) -> None:
    """Deliver once whose turn it is; where more is due, tell the next worker first.

    ``found_at`` is when whoever sent this found something due (ISO 8601).
    """
    deliver_next(
        datetime.fromisoformat(found_at), ring_on=tell_workers, is_stopped=_is_stopping.is_set
    )


@shared_task(name="leads.tasks.sweep")
def sweep() -> None:
    """Tell the workers that there is work, if something is due; warn of what stays behind; look
    after the mirror."""
    ring_if_due()
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
