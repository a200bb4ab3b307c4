"""Database connections in loops that never end."""

from __future__ import annotations

from django.db import connections


def drop_old_connections() -> None:
    """``close_old_connections``, except for a connection with a transaction of our caller.

    A loop that runs for weeks calls it before each item, as Django does around requests.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
