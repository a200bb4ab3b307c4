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

# With DEBUG, pages show settings and tracebacks: nobody but this machine may ask for them.
bind = [f"{'127.0.0.1' if settings.DEBUG else '0.0.0.0'}:{settings.PORT}"]  # noqa: S104
worker_class = "gthread"
workers = 2
threads = 8
timeout = 60
graceful_timeout = 10
keepalive = 5
# The application takes 64 KiB at most; these bound what comes before it looks.
limit_request_line = 4094
limit_request_fields = 100
# Whether a proxy's word on the scheme counts is for Django to judge, by TRUSTED_PROXIES.
secure_scheme_headers: dict[str, str] = {}
# Else whoever calls from this machine, a proxy with a stranger's headers included, would say
# where the service lies, and with it where each statusUrl points.
forwarder_headers = ""
control_socket_disable = True  # it would lie in the user's home folder
proc_name = "lead-gateway"
logconfig_dict = settings.LOGGING


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Tie each worker to the master's life: a master that is killed outright leaves none."""
    pdeathsig.end_with_parent()
