"""What gives a program away that fills in forms: a trap that no person sees, and its haste."""

from __future__ import annotations

from leads import conf
from leads.api.copying import scalars
from leads.api.parsers import Form
from leads.remarks import Code

#: A field that a page hides from people.
TRAP = "_gotcha"
#: How long the page has shown the form, in milliseconds.
ELAPSED = "_elapsed"


def suspicion_of(sent: Form) -> tuple[Code, str] | None:
    """Why the form looks like a program's, with what gave it away; ``None`` if it does not. A page
    that has neither field is not suspected."""
    if trapped := "".join(scalars(sent.get(TRAP))).strip():
        return Code.TRAPPED, trapped
    seconds = _seconds(sent.get(ELAPSED))
    if seconds is not None and 0 <= seconds < conf.current().form_min_seconds:
        return Code.TOO_FAST, f"{seconds:g}"
    return None


def _seconds(value: object) -> float | None:
    text = next(scalars(value), "")
    # More digits than a visit can last: no number that anybody measured.
    return int(text) / 1000 if text.isdecimal() and len(text) < 16 else None
