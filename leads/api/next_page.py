"""Where the visitor of a page without JavaScript goes after its form was taken."""

from __future__ import annotations

from urllib.parse import urlsplit

from amocrm.text.printable import is_visible_ascii, readable
from leads import conf
from leads.api.parsers import Form
from leads.forms.addresses import ascii_url
from leads.models import LandingForm

FIELD = "_next"


def next_page(sent: Form, form: LandingForm, *, is_visitors: bool) -> str | None:
    """The address in ``_next`` if it lies on a page of ours: whoever else could be named there
    would borrow our name. Else the form's own, where a visitor waits for a page. Only a form
    that a browser sent by itself is led anywhere."""
    if not sent.is_encoded:
        return None
    address = sent.get(FIELD)
    wanted = _plain(address) if isinstance(address, str) else None
    if wanted and _origin(wanted) in _pages(form):
        return wanted
    return _plain(form.next_page) if is_visitors else None


def _pages(form: LandingForm) -> frozenset[str]:
    return conf.current().pages | form.origins()


def _origin(address: str) -> str | None:
    try:
        url = urlsplit(address)
    except ValueError:
        return None
    return f"{url.scheme}://{url.netloc.lower()}"


def _plain(address: str) -> str | None:
    """As browsers ask for it; ``None`` for what they might read in another way than we do."""
    try:
        plain = ascii_url(address)
    except ValueError:
        return None
    # Browsers read a backslash as a slash, and forget blanks and control characters.
    is_as_seen = readable(address) == address and "\\" not in address
    return plain if is_as_seen and is_visible_ascii(plain) else None
