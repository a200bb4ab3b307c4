"""Forms as a web process remembers them: nearly every request would read the same row."""

from __future__ import annotations

from time import monotonic
from typing import Any

from leads.models import LandingForm

#: So many seconds after another process has changed a form it counts here.
SECONDS = 2.0

_known: dict[str, tuple[float, LandingForm]] = {}


def find(slug: str) -> LandingForm | None:
    """The form of that slug, as it was a moment ago; ``None``: there is none."""
    known = _known.get(slug)
    if known and monotonic() - known[0] < SECONDS:
        return known[1]
    form = LandingForm.objects.filter(pk=slug).first()
    if form is not None:
        _known[slug] = monotonic(), form
    return form


def forget(**_: Any) -> None:
    """Read all of them anew: a receiver of the signals about changed forms."""
    _known.clear()
