"""Every fault that more than one place shows, each worded once.

``amocrm_check`` prints them, the locks' page and its JSON show them, and ``manage.py check``
renders those of the settings. A fault that only one of them can see is worded there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from amocrm import conf
from amocrm.api import tokens
from amocrm.api.pause import AccountPause
from amocrm.api.schemas import CLOSED_STAGES
from amocrm.diagnostics.finding import Finding
from amocrm.errors import AmoError
from amocrm.locks.health import Health

WARN_AHEAD = timedelta(days=30)
CHECK_COMMAND = ".venv/bin/python manage.py amocrm_check"

# What to do, by the kind of a pause as amocrm.api.responses and amocrm.api.pause name it.
ADVICE = {
    "token": gettext_lazy(
        "Create a new token in the integration's “Keys” tab, put it into AMOCRM_ACCESS_TOKEN and "
        "restart the service."
    ),
    "unpaid": gettext_lazy("The owner of the account has to pay for it."),
    "scope": gettext_lazy("Give the integration's user the right that is missing."),
    "rights": gettext_lazy(
        "Give the integration's user the right to create leads, or pay for the account."
    ),
    "stage": gettext_lazy("Correct AMOCRM_PIPELINE_ID and restart the service."),
    "blocked": gettext_lazy(
        "If amoCRM blocked the integration for its request rate, wait, and write to amoCRM's "
        "support if it lasts."
    ),
    "rate": gettext_lazy(
        "Wait some minutes. Lower AMOCRM_MAX_RPS if other integrations share the limit."
    ),
}


def in_settings(settings: conf.AmoSettings) -> Iterator[Finding]:
    """What the settings alone tell, beyond what :mod:`config.settings` refuses to start with."""
    for name, stage in settings.stages.items():
        if stage in CLOSED_STAGES:
            yield Finding(
                "error",
                "settings",
                _("%(name)s is %(stage)d, a stage of closed leads.")
                % {"name": name, "stage": stage},
                _("Name a stage in which a lead is worked on, or leave it empty."),
                code="closed_stage",
            )
    if settings.pipeline_id is None and any(settings.stages.values()):
        yield Finding(
            "warning",
            "settings",
            _("Stages are configured, but no pipeline: they must all be of the main one."),
            _("Set AMOCRM_PIPELINE_ID to the pipeline that has these stages."),
            code="no_pipeline",
        )


def of_token(now: datetime) -> Finding | None:
    """The configured token has ended or ends within :data:`WARN_AHEAD`; ``None``: neither."""
    end = tokens.expires_at()
    if end is None or end - now > WARN_AHEAD:
        return None
    values = {"date": f"{end:%d.%m.%Y}", "days": (end - now).days}
    if end <= now:
        title = _("The amoCRM access token has expired: create a new one")
        text = _("The amoCRM access token expired on %(date)s: create a new one.")
    else:
        title = _("The amoCRM access token expires soon: create a new one")
        text = _("The amoCRM access token expires on %(date)s, in %(days)d days: create a new one.")
    return Finding(
        "warning",
        "token",
        text % values,
        str(ADVICE["token"]),
        code="token",
        title=title,
        commands=(CHECK_COMMAND,),
    )


def of_redis(redis: Health) -> Finding | None:
    """Why Redis cannot be relied on for locks; ``None`` where it can."""
    if not redis.enabled:
        return Finding(
            "warning",
            "redis",
            _(
                "REDIS_ENABLED is false: there are no locks, deliveries rely on the database "
                "alone, and each process has its own request limit."
            ),
            _(
                "Deliver with one “deliver_leads --watch”, or switch the locks on and restart "
                "the service."
            ),
            code="off",
            title=_("Locks are switched off"),
            commands=(
                'grep "REDIS_ENABLED" env.env',
                "sed -i 's/REDIS_ENABLED=false/REDIS_ENABLED=true/' env.env",
            ),
        )
    if not redis.connected:
        return Finding(
            "error",
            "redis",
            _(
                "Redis does not answer (%(error)s). Forms are still accepted and nothing is lost, "
                "but no lead is delivered until it does."
            )
            % {"error": redis.trouble},
            _(
                "Start Redis, or check REDIS_URL and REDIS_LOCKS_URL. Restart the service if "
                "delivery does not go on by itself then."
            ),
            code="redis",
            title=_("Redis not connected"),
            commands=(
                "redis-cli ping",
                "sudo systemctl status redis",
                "sudo systemctl start redis",
                "sudo systemctl enable redis",
            ),
            critical=True,
        )
    if not redis.available:
        return Finding(
            "error",
            "redis",
            _(
                "Redis answers, but a lock cannot be taken (%(error)s). No lead is delivered until "
                "it can."
            )
            % {"error": redis.trouble},
            _(
                "Look whether its disk or memory is full, or whether REDIS_LOCKS_URL names a "
                "replica."
            ),
            code="readonly",
            title=_("Redis takes no writes"),
            commands=(
                "redis-cli info memory",
                "redis-cli info persistence",
                "redis-cli info replication",
            ),
            critical=True,
        )
    if redis.evicts:
        return Finding(
            "warning",
            "redis",
            _(
                "Redis may remove a lock that is held when its memory is full (%(policy)s). No "
                "lead is doubled by that, but deliveries stop half-way and begin anew."
            )
            % {"policy": redis.evicts},
            _("Set its maxmemory-policy to noeviction."),
            code="evicts",
            title=_("Redis may throw locks away"),
            commands=("redis-cli config set maxmemory-policy noeviction",),
        )
    return None


def of_pause(paused: AccountPause) -> Finding:
    """Nothing is sent to the account for now."""
    goes_on = _(
        "Deliveries go on after the next probe that succeeds, or when an operator resumes them."
    )
    return Finding(
        "warning",
        "pause",
        _("Deliveries are paused: %(reason)s.") % {"reason": paused.reason.rstrip(".")},
        f"{ADVICE.get(paused.kind, '')} {goes_on}".strip(),
        code="paused",
        title=_("amoCRM is paused"),
        commands=(CHECK_COMMAND,),
        critical=True,
    )


def of_missing_stage(leads: int) -> Finding | None:
    """So many ``leads`` of today went to the first stage for want of their own; ``None``: none."""
    if not leads:
        return None
    return Finding(
        "warning",
        "stage",
        _(
            "The stage of a form is missing in amoCRM: its leads go to the pipeline's first stage "
            "(today: %(count)d)."
        )
        % {"count": leads},
        _(
            "Each such lead has a warning in its note. The check names the stage and its setting: "
            "correct it and restart the service."
        ),
        code="stage",
        title=_("The stage of a form is missing"),
        commands=(CHECK_COMMAND,),
    )


def no_pipeline(settings: conf.AmoSettings) -> str:
    """The account has not the configured pipeline, or that takes no leads."""
    return _("The account has no usable pipeline %(pipeline)s (AMOCRM_PIPELINE_ID).") % {
        "pipeline": settings.pipeline_id or _("that is the main one")
    }


def no_answer(settings: conf.AmoSettings, error: AmoError, *, about: str = "account") -> Finding:
    """What the account said instead of answering, or that it could not be reached."""
    texts = {
        401: _("amoCRM refuses the access token: %(message)s"),
        402: _("The amoCRM account is not paid for: %(message)s"),
        403: _("amoCRM refuses to talk to us: %(message)s"),
        429: _("amoCRM asks to slow down: %(message)s"),
    }
    # A 403 may mean either: how it is told apart stands in amocrm.api.responses.
    kinds = {401: ("token",), 402: ("unpaid",), 403: ("scope", "blocked"), 429: ("rate",)}
    status = error.status or 0
    text = texts.get(status, _("amoCRM cannot be asked at %(url)s: %(message)s"))
    advice = " ".join(str(ADVICE[kind]) for kind in kinds.get(status, ()))
    return Finding(
        "error",
        about,
        text % {"message": error.crm_message or str(error), "url": settings.base_url},
        advice or _("Check AMOCRM_BASE_URL and the network, then try again."),
    )
