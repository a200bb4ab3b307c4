"""Asking a paused account whether it works again."""

from __future__ import annotations

from amocrm import conf
from amocrm.account.schema import require_schema
from amocrm.api import pause
from amocrm.api.client import Client, connect
from amocrm.errors import AmoError
from amocrm.log_context import get_logger

logger = get_logger(__name__)


def probe_if_due() -> None:
    """Make the probe that is due, if one is; resume when it succeeds.

    Cheap while nothing is paused: one query. Never raises for the account's trouble.
    """
    settings = conf.current()
    paused = pause.take_probe(settings.account)
    if paused is None:
        return
    try:
        with connect(settings) as client:
            trouble = _trouble(client.probing(), settings, paused.kind)
    except AmoError as error:
        trouble = str(error)
    if trouble:
        logger.info("⏸ amoCRM stays paused: %s", trouble)
        return
    # Only the pause that was asked about: an operator may have ended it, and another begun.
    pause.resume("a probe that succeeded", since=paused.since)


def _trouble(client: Client, settings: conf.AmoSettings, kind: str) -> str:
    """What still keeps the account from taking leads; raises what the client raises."""
    client.account()
    if kind in pause.MET_BY_WRITES:
        # GET /account cannot tell: an account that answers may still refuse to take leads.
        require_schema(client, settings)
    return ""
