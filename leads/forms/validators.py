"""What an operator may enter for a form."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _

_is_url = URLValidator(schemes=["http", "https"])


def validate_lead_name(text: str) -> None:
    """Raises ``ValidationError`` for braces around anything else."""
    if set(lead_name(text, form="", name="")) & set("{}"):
        raise ValidationError(_("Only {form} and {name} may stand in braces."))


def lead_name(pattern: str, *, form: str, name: str) -> str:
    """``pattern`` with the form's title and the person in it."""
    return pattern.replace("{form}", form).replace("{name}", name)


def validate_origins(text: str) -> None:
    """Raises ``ValidationError`` for a line that is no web origin."""
    origins(text)


def origins(text: str) -> str:
    """Web origins as browsers send them, each on a line. Raises ``ValidationError``."""
    return "\n".join(dict.fromkeys(_origin(line) for line in text.split()))


def _origin(line: str) -> str:
    origin = line.lower().removesuffix("/")
    try:
        _is_url(origin)
        is_origin = origin == "{0.scheme}://{0.netloc}".format(urlsplit(origin))
    except (ValidationError, ValueError):
        is_origin = False
    if not (is_origin and origin.isascii() and "@" not in origin):
        raise ValidationError(
            _("%(line)s: write each origin as https://host, without a path."),
            params={"line": line},
        )
    return origin
