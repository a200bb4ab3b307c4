"""How every process of the service begins: with settings that could be read, or not at all."""

from __future__ import annotations

import os
import sys

from config.env import ConfigError


def settings_or_exit(status: int = 1) -> None:
    """Load the Django settings; one sentence on stderr and exit ``status`` if they are wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.conf import settings

        _ = settings.DEBUG  # the first look at any setting loads them all
    except ConfigError as error:
        sys.stderr.write(f"Configuration: {error}\n")
        sys.exit(status)
