"""Telling the workers that there is work, without ever waiting long or failing.

The ``Submission`` row is the queue; a lost message costs one sweep. So telling has a connection of
its own: half a second to connect, half a second for every answer, no retries
(kombu otherwise waits for minutes for a server that accepts and never answers):
``DISPATCH_TRANSPORT_OPTIONS``. The process keeps it, for a new one costs ten times what a message
does. A broker that did not answer is left alone for ten seconds by this process.
"""

from __future__ import annotations

import logging
import os
import threading
from datetime import datetime
from typing import Any

from celery import current_app

from amocrm.circuit_breaker import CircuitBreaker
from leads import conf

DELIVER_TASK = "leads.tasks.deliver_due"

logger = logging.getLogger(__name__)
breaker = CircuitBreaker(seconds=10)


class _KeptProducer:
    """What sends for every thread of this process, one after another."""

    def __init__(self) -> None:
        self.forget()
        # The socket is the parent's, and a thread that does not exist here may hold the lock.
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Leave the connection to whoever made it."""
        self.lock = threading.Lock()
        self._producer: Any = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._producer is not None

    def get(self, options: dict[str, Any]) -> Any:
        """The producer, with a new connection if there is none. Only under the lock."""
        if self._producer is None:
            connection = current_app.connection_for_write(transport_options=options)
            self._producer = current_app.amqp.Producer(connection, auto_declare=False)
        return self._producer

    def drop(self) -> None:
        """Close the connection, if there is one. Only under the lock."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.connection.release()


_kept = _KeptProducer()


def can_tell() -> bool:
    """Whether there is anybody to tell: workers are in use and the broker answered lately."""
    return conf.current().redis_enabled and not breaker.is_open


def tell_workers(found_at: datetime) -> bool:
    """Tell one worker that there was work at that time, by the clock of whoever found it; whether
    that was sent. Never raises, never waits long."""
    with _kept.lock:
        if not can_tell():  # or not any more: another thread found out meanwhile
            return False
        try:
            _send(found_at)
        except Exception as error:  # whatever it is, the sweep comes by anyway
            breaker.open()
            logger.warning(
                "The workers could not be told that there is work (%s: %s); the next sweep does it",
                type(error).__name__,
                error,
            )
            _kept.drop()
            return False
        return True


def _send(found_at: datetime) -> None:
    settings = conf.current()
    # By its name: the module of the tasks imports this one.
    current_app.send_task(
        DELIVER_TASK,
        (found_at.isoformat(),),
        producer=_kept.get(settings.dispatch_options),
        retry=False,
        expires=settings.dispatch_expires,
    )
