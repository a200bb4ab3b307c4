"""The Celery application (`celery -A config worker`, `celery -A config beat`).

Its settings are Django's, with the prefix ``CELERY_``. Its messages only say that there is work:
every one can be lost without losing a lead.
"""

from __future__ import annotations

import logging.config
import os
import warnings
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from config.startup import settings_or_exit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# As root a worker is only dangerous when it unpickles; this one takes nothing but JSON.
warnings.filterwarnings("ignore", message=".*superuser privileges")

# What Celery takes on the command line only: workers need not hear of each other.
WORKER_OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat")

app = Celery("config")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_configure.connect
def _settings_are_readable(**_: Any) -> None:
    settings_or_exit()


@setup_logging.connect
def _log_as_django_does(**_: Any) -> None:
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
