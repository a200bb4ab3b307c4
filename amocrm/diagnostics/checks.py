"""Django's system check: what the settings alone tell, before the first lead does.

It asks no network: ``manage.py amocrm_check`` asks the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils import timezone

from amocrm import conf
from amocrm.diagnostics import faults

# Known outside by these ids, as in SILENCED_SYSTEM_CHECKS: they never change.
_IDS = {"closed_stage": "amocrm.E004", "no_pipeline": "amocrm.W002", "token": "amocrm.W001"}
_KINDS = {"error": Error, "warning": Warning}


@register("amocrm")
def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The faults of the settings, and a token that ends soon, as Django shows them."""
    found = [*faults.in_settings(conf.current()), faults.of_token(timezone.now())]
    return [
        _KINDS[fault.level](fault.text, hint=fault.fix, id=_IDS[fault.code])
        for fault in found
        if fault is not None
    ]
