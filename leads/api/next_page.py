"""Where the visitor of a page without JavaScript goes after its form was taken."""

from __future__ import annotations

from urllib.parse import urlsplit

from amocrm.text.printable import is_visible_ascii
from leads import conf
from leads.api.parsers import Form

FIELD = "_next"


def next_page(sent: Form) -> str | None:
    """The address in ``_next`` if it lies on a page of ours: whoever else could be named there
    would borrow our name. Only a form that a browser sent by itself is led anywhere."""
    address = sent.get(FIELD)
    if not (sent.is_encoded and isinstance(address, str) and _is_plain(address)):
        return None
    try:
        url = urlsplit(address)
        origin = f"{url.scheme}://{url.netloc.lower()}"
    except ValueError:
        return None
    return address if origin in conf.current().pages else None


def _is_plain(address: str) -> bool:
    # Browsers read a backslash as a slash, and forget blanks and control characters.
    return is_visible_ascii(address) and "\\" not in address
