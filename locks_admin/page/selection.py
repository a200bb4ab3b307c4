"""What an operator chose to clear: the locks as they were shown, not as they are by now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.http import QueryDict

from locks_admin.masking import handle
from locks_admin.monitor.lock_status import STALE, BoardRow


@dataclass
class Choice:
    """``going``: still as shown. ``changed`` and ``gone``: how many are not any more."""

    going: list[BoardRow] = field(default_factory=list)
    changed: int = 0
    gone: int = 0

    @property
    def as_text(self) -> str:
        """The choice for a form's field, one lock a line."""
        return "\n".join(map(pick, self.going))


def pick(row: BoardRow) -> str:
    """A lock with its holder, short: tens of thousands fit into one form."""
    return f"{handle(row.name)} {handle(row.lock.holder_id)}"


def chosen(form: QueryDict, rows: Iterable[BoardRow]) -> Choice:
    """Read the table's form: one row's button, the ticked rows, the stale ones, or all."""
    if "only" in form:
        return as_shown([form.get("only", "")], rows)
    scope = form.get("scope", "selected")
    if scope == "all":
        return Choice(going=list(rows))
    if scope == "stale":
        return Choice(going=[row for row in rows if row.state in STALE])
    return as_shown(form.getlist("lock"), rows)


def as_shown(picks: Iterable[str], rows: Iterable[BoardRow]) -> Choice:
    """Those of ``rows`` that are picked and have not changed hands."""
    now = {handle(row.name): row for row in rows}
    choice = Choice()
    for picked in dict.fromkeys(filter(None, picks)):
        row = now.get(picked.partition(" ")[0])
        if row is None:
            choice.gone += 1
        elif picked != pick(row):
            choice.changed += 1
        else:
            choice.going.append(row)
    return choice
