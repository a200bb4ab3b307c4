"""Addresses as browsers know them: what operators and pages write is made into that."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import idna
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext_lazy as _

#: What pages have; Django would take ftp, too.
validate_web_address = URLValidator(schemes=["http", "https"])
# Which browsers leave out.
_DEFAULT_PORTS = (("http", 80), ("https", 443))


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
        validate_web_address(origin)
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
