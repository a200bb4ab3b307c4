"""What an operator chose to clear: the locks as they were shown, not as they are by now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.http import QueryDict

from locks_admin.masking import pseudonym
from locks_admin.monitor.lock_status import STALE, LockStatus


@dataclass
class Selection:
    """``locks``: still as shown. ``changed`` and ``gone``: how many are not any more."""

    locks: list[LockStatus] = field(default_factory=list)
    changed: int = 0
    gone: int = 0

    @classmethod
    def of_form(cls, form: QueryDict, locks: Iterable[LockStatus]) -> Selection:
        """Read the table's form: one row's button, the ticked rows, the stale ones, or all."""
        if "only" in form:
            return cls.of_tokens([form.get("only", "")], locks)
        scope = form.get("scope", "selected")
        if scope == "all":
            return cls(list(locks))
        if scope == "stale":
            return cls([lock for lock in locks if lock.state in STALE])
        return cls.of_tokens(form.getlist("lock"), locks)

    @classmethod
    def of_tokens(cls, tokens: Iterable[str], locks: Iterable[LockStatus]) -> Selection:
        """Those of ``locks`` that are chosen and have not changed hands."""
        by_pseudonym = {pseudonym(lock.name): lock for lock in locks}
        selection = cls()
        for token in dict.fromkeys(filter(None, tokens)):
            lock = by_pseudonym.get(token.partition(" ")[0])
            if lock is None:
                selection.gone += 1
            elif token != lock.token:
                selection.changed += 1
            else:
                selection.locks.append(lock)
        return selection

    @property
    def tokens(self) -> str:
        """The selection for a form's field, one lock a line."""
        return "\n".join(lock.token for lock in self.locks)
