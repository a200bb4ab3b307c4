"""What an operator may enter for a form."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

import idna
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext_lazy as _

from amocrm.text.printable import readable

_PLACES = re.compile(r"\{(?:form|name)\}")
# Which browsers leave out.
_DEFAULT_PORTS = (("http", 80), ("https", 443))
_is_url = URLValidator(schemes=["http", "https"])


def validate_lead_name(text: str) -> None:
    """Raises ``ValidationError`` for braces around anything else."""
    if set(lead_name(text, form="", name="")) & set("{}"):
        raise ValidationError(_("Only {form} and {name} may stand in braces."))


def lead_name(pattern: str, *, form: str, name: str) -> str:
    """``pattern`` with the form's title and the person in it."""
    said = {"{form}": form, "{name}": name}
    return _PLACES.sub(lambda place: said[place[0]], pattern)


def validate_visible(text: str) -> None:
    """Raises ``ValidationError`` for a text that nobody can see."""
    if not readable(text).strip():
        raise ValidationError(_("Use characters that can be seen."))


def validate_web_address(text: str) -> None:
    """Raises ``ValidationError`` for what is no address of a page."""
    _is_url(text)


def validate_origins(text: str) -> None:
    """Raises ``ValidationError`` for a line that is no web origin."""
    origins(text)


def origins(text: str) -> str:
    """Web origins as browsers send them, each on a line. Raises ``ValidationError``."""
    return "\n".join(dict.fromkeys(_origin(line) for line in text.split()))


def _origin(line: str) -> str:
    try:
        url = urlsplit(ascii_url(line.lower().removesuffix("/")))
        is_default = (url.scheme, url.port) in _DEFAULT_PORTS
        netloc = url.netloc.removesuffix(f":{url.port}") if is_default else url.netloc
        origin = f"{url.scheme}://{netloc}"
        _is_url(origin)
        is_origin = "@" not in netloc and not (url.path or url.query or url.fragment)
    except (ValidationError, ValueError):
        is_origin = False
    if not is_origin:
        raise ValidationError(
            _("%(line)s: write each origin as https://host, without a path."),
            params={"line": line},
        )
    return origin


def ascii_url(address: str) -> str:
    """The address as a browser asks for it: the host in Punycode, the rest percent-encoded.

    Raises ``ValueError`` for what is no address.
    """
    if address.isascii():
        return address
    url = urlsplit(address)
    host = idna.encode(url.hostname or "", uts46=True).decode("ascii")
    netloc = f"{host}:{url.port}" if url.port else host
    if "@" in url.netloc:
        raise ValueError(address)
    return iri_to_uri(urlunsplit(url._replace(netloc=netloc)))
