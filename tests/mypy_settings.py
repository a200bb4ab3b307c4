"""The settings as mypy's Django plugin reads them: without env.env or a prepared environment."""

import os

os.environ.update(
    DEBUG="true", AMOCRM_BASE_URL="http://127.0.0.1:3001", AMOCRM_ACCESS_TOKEN="sandbox-token"
)

from config.settings import *  # noqa: F403
