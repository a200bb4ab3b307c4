"""Texts that an operator enters for a form."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from amocrm.text.printable import readable

_PLACES = re.compile(r"\{(?:form|name)\}")


def lead_name(pattern: str, *, form: str, name: str) -> str:
    """``pattern`` with the form's title and the person in it."""
    said = {"{form}": form, "{name}": name}
    return _PLACES.sub(lambda place: said[place[0]], pattern)


def validate_lead_name(text: str) -> None:
    """Raises ``ValidationError`` for braces around anything else."""
    if set(lead_name(text, form="", name="")) & set("{}"):
        raise ValidationError(_("Only {form} and {name} may stand in braces."))


def validate_visible(text: str) -> None:
    """Raises ``ValidationError`` for a text that nobody can see."""
    if not readable(text).strip():
        raise ValidationError(_("Use characters that can be seen."))
