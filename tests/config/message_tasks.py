"""A task for the tests of Celery itself; a worker is given it with ``--include``."""

from pathlib import Path

from celery import shared_task


@shared_task
def leave_mark(path: str) -> None:
    """Create the file, which tells that the task ran."""
    Path(path).touch()
