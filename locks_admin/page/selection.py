"""What an operator chose to clear: the locks as they were shown, not as they are by now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.http import QueryDict

from locks_admin.masking import pseudonym
from locks_admin.monitor.lock_status import STALE, LockStatus


@dataclass
class Selection:
    """``going``: still as shown. ``changed`` and ``gone``: how many are not any more."""

    going: list[LockStatus] = field(default_factory=list)
    changed: int = 0
    gone: int = 0

    @property
    def as_text(self) -> str:
        """The selection for a form's field, one lock a line."""
        return "\n".join(map(token, self.going))


def token(row: LockStatus) -> str:
    """A lock with its holder, short: tens of thousands fit into one form."""
    return f"{pseudonym(row.name)} {pseudonym(row.lock.holder_id)}"


def chosen(form: QueryDict, rows: Iterable[LockStatus]) -> Selection:
    """Read the table's form: one row's button, the ticked rows, the stale ones, or all."""
    if "only" in form:
        return as_shown([form.get("only", "")], rows)
    scope = form.get("scope", "selected")
    if scope == "all":
        return Selection(going=list(rows))
    if scope == "stale":
        return Selection(going=[row for row in rows if row.state in STALE])
    return as_shown(form.getlist("lock"), rows)


def as_shown(tokens: Iterable[str], rows: Iterable[LockStatus]) -> Selection:
    """Those of ``rows`` that are chosen and have not changed hands."""
    now = {pseudonym(row.name): row for row in rows}
    selection = Selection()
    for chosen in dict.fromkeys(filter(None, tokens)):
        row = now.get(chosen.partition(" ")[0])
        if row is None:
            selection.gone += 1
        elif chosen != token(row):
            selection.changed += 1
        else:
            selection.going.append(row)
    return selection
