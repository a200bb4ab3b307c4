"""Telling the workers that something is due, without ever waiting long or failing.

The ``Submission`` row is the queue; a lost message costs one sweep. So dispatching has a
connection of its own: half a second to connect, half a second for every answer, no retries
(kombu otherwise waits for minutes for a server that accepts and never answers):
``DISPATCH_TRANSPORT_OPTIONS``. A broker that did not answer is left alone for ten seconds by
this process.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from celery import current_app

from amocrm.circuit_breaker import CircuitBreaker
from leads import conf

DELIVER_TASK = "leads.tasks.deliver_submission"

logger = logging.getLogger(__name__)
breaker = CircuitBreaker(seconds=10)


def can_dispatch() -> bool:
    """Whether there is anybody to tell: workers are in use and the broker answered lately."""
    return conf.current().redis_enabled and not breaker.is_open


def dispatch(submission_ids: Sequence[UUID]) -> int:
    """Ask the workers to deliver these; how many were sent. Never raises, never waits long."""
    if not submission_ids or not can_dispatch():
        return 0
    try:
        return _send_each(submission_ids)
    except Exception as error:  # whatever it is, the sweep comes by anyway
        breaker.open()
        logger.warning(
            "The workers could not be told of a submission (%s: %s); the next sweep does it",
            type(error).__name__,
            error,
        )
        return 0


def _send_each(submission_ids: Sequence[UUID]) -> int:
    settings = conf.current()
    options = settings.dispatch_options
    with current_app.connection_for_write(transport_options=options) as connection:
        producer = current_app.amqp.Producer(connection, auto_declare=False)
        for submission_id in submission_ids:
            # By its name: the module of the tasks imports this one.
            current_app.send_task(
                DELIVER_TASK,
                (str(submission_id),),
                producer=producer,
                retry=False,
                expires=settings.dispatch_expires,
            )
    return len(submission_ids)
