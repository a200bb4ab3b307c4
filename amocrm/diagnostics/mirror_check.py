"""How the mirror of the contacts stands, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from amocrm import conf, mirror
from amocrm.account.links import contact_url
from amocrm.diagnostics.finding import Finding
from amocrm.mirror import Readiness, Standing
from amocrm.text import times


def finding(settings: conf.AmoSettings) -> Finding:
    """Whether leads of many people at once are sent together, why not, and what the mirror holds.
    Asks nothing of amoCRM."""
    found = mirror.standing(settings)
    figures = _figures(found)
    match found.readiness:
        case Readiness.OFF:
            text = _("Each lead is sent by itself, however many people come at once: %(setting)s.")
            return Finding("ok", "burst", text % {"setting": "BURST=off"})
        case Readiness.READY:
            text = _("When many people come at once, their leads are sent together.")
            return Finding("ok", "burst", f"{text} {figures}")
        case Readiness.LEARNING:
            text = _("Each lead is sent by itself until the mirror of the contacts proves right.")
            return Finding("ok", "burst", f"{text} {figures}")
    text = _("Each lead is sent by itself, because the mirror of the contacts was wrong: %(lie)s.")
    return Finding(
        "warning",
        "burst",
        f"{text % {'lie': _lie(found, settings)}} {figures}",
        _("The next walk of the contacts gives it another chance. If this goes on, set BURST=off."),
    )


def _figures(found: Standing) -> str:
    text = _(
        "Contacts it knows: %(contacts)d; all walked: %(time)s; comparisons with the search that "
        "it has survived: %(comparisons)d (%(needed)d are enough)."
    )
    return text % {
        "contacts": found.contacts,
        "time": times.shown(found.walked_at) if found.walked_at else _("not yet"),
        "comparisons": found.comparisons,
        "needed": found.comparisons_needed,
    }


def _lie(found: Standing, settings: conf.AmoSettings) -> str:
    where = found.lied_about and contact_url(settings.base_url, found.lied_about)
    return f"{_(found.lie)} ({where})" if where else _(found.lie)
