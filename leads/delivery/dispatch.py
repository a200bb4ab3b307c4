"""Telling the workers that something is due, without ever waiting long or failing.

The ``Submission`` row is the queue; a lost ring costs one sweep. So a ring has a connection of
its own: half a second to connect, half a second for every answer, no retries (kombu otherwise
waits for minutes for a server that accepts and never answers): ``BELL_TRANSPORT_OPTIONS``. A
broker that did not answer is left alone for ten seconds by this process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from celery import current_app

from leads import conf

logger = logging.getLogger(__name__)

LEFT_ALONE_SECONDS: Final = 10.0


class _Rest:
    """Until when the broker is left alone, for all threads of this process."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()

    def is_on(self) -> bool:
        with self._lock:
            return time.monotonic() < self._until

    def begin(self) -> None:
        with self._lock:
            self._until = time.monotonic() + LEFT_ALONE_SECONDS

    def end(self) -> None:
        with self._lock:
            self._until = 0.0


rest = _Rest()


def can_ring() -> bool:
    """Whether there is anybody to ring for: workers are in use and the broker answered lately."""
    return conf.current().redis_enabled and not rest.is_on()


def ring(submission_ids: Sequence[UUID]) -> int:
    """Ask the workers to deliver these. How many were told; never raises, never waits long."""
    if not submission_ids or not can_ring():
        return 0
    told = 0
    try:
        told = _ring_each(submission_ids)
    except Exception as error:  # whatever it is, the sweep comes by anyway
        rest.begin()
        logger.warning(
            "The workers could not be told of a submission (%s: %s); the next sweep does it",
            type(error).__name__,
            error,
        )
    return told


def _ring_each(submission_ids: Sequence[UUID]) -> int:
    from leads.tasks import deliver_submission  # the tasks ring, too

    settings = conf.current()
    options = settings.bell_options
    with current_app.connection_for_write(transport_options=options) as connection:
        producer = current_app.amqp.Producer(connection, auto_declare=False)
        for submission_id in submission_ids:
            deliver_submission.apply_async(
                (str(submission_id),),
                producer=producer,
                retry=False,
                expires=settings.bell_expires,
            )
    return len(submission_ids)
