"""gunicorn's configuration: `gunicorn -c python:config.gunicorn config.wsgi`.

Read in the master process, so a setting that is wrong ends the start before any worker exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from config.launcher import pdeathsig
from config.startup import settings_or_exit

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

settings_or_exit()

_host = f"[{settings.WEB_HOST}]" if ":" in settings.WEB_HOST else settings.WEB_HOST
bind = [f"{_host}:{settings.PORT}"]
worker_class = "config.web.worker.WebWorker"
workers = 2
threads = 8
timeout = 60
graceful_timeout = 10
control_socket_disable = True  # it would lie in the user's home folder
proc_name = "lead-gateway"
logconfig_dict = settings.LOGGING


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Tie each worker to the master's life: a master that is killed outright leaves none."""
    pdeathsig.end_with_parent()
