"""Looking after the mirror of amoCRM's contacts: that there is one before the night's walk, and
that it does not fall behind.

Whoever finds what is due looks after it, too: the sweep, or ``deliver_leads --watch``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from celery import current_app
from django.db import DatabaseError, connections

from amocrm import conf, mirror
from amocrm.api import pause
from amocrm.api.client import connect
from amocrm.diagnostics import reminders
from amocrm.errors import AmoError
from amocrm.log_context import get_logger
from leads import conf as leads_conf

CENSUS_TASK = "leads.tasks.find_duplicate_leads"
# A request in ten minutes: where a day's changes had to be read when many people come, they would
# be too many.
CATCH_UP_EVERY = timedelta(minutes=10)
MOST_PAGES = 20

logger = get_logger(__name__)


def look_after_mirror(see_to_walk: Callable[[], bool]) -> None:
    """Have all contacts walked by ``see_to_walk`` where that is needed, or read what has changed
    since a while ago. Never raises: whoever delivers has other work to do.

    ``see_to_walk`` begins a walk and does not wait for it; whether it did.
    """
    settings = conf.current()
    try:
        if settings.burst == "off" or pause.current():
            return
        if mirror.take_walk(settings):
            if not see_to_walk():
                mirror.leave_walk(settings)
        elif reminders.is_time("mirror", CATCH_UP_EVERY):
            with connect(settings) as crm:
                mirror.catch_up(crm, settings, most_pages=MOST_PAGES)
    except (AmoError, DatabaseError) as error:
        logger.warning("🪞 Could not look after the mirror of the contacts: %s", error)


def tell_a_worker() -> bool:
    """Ask the workers for the nightly census now, which walks all contacts; whether that was sent.

    It is rare, so it opens a connection of its own, and waits no longer than half a second for
    anything.
    """
    options = leads_conf.current().dispatch_options
    try:
        with current_app.connection_for_write(transport_options=options) as connection:
            # By its name: the module of the tasks imports this one.
            current_app.send_task(
                CENSUS_TASK,
                connection=connection,
                retry=False,
                expires=mirror.WALK_AGAIN_AFTER.total_seconds(),
            )
    except Exception as error:  # whatever it is, the next sweep tries again
        logger.warning("🪞 No worker could be asked to walk the contacts: %s", error)
        return False
    return True


def walk_beside() -> bool:
    """Walk all contacts in a thread of this process, which does not outlive it; always begins."""
    threading.Thread(target=_walk, name="mirror", daemon=True).start()
    return True


def _walk() -> None:
    settings = conf.current()
    try:
        with connect(settings) as crm:
            mirror.walk(crm, settings)
    except (AmoError, DatabaseError) as error:
        logger.warning("🪞 The contacts could not be walked: %s", error)
    finally:
        connections.close_all()  # this thread's
