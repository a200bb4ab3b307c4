"""``manage.py clear_amocrm_locks``: what the page's clear buttons do, for a terminal."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from amocrm.locks import clearing
from amocrm.locks.clearing import ClearResult
from amocrm.management.shell_user import shell_user
from amocrm.redis_clients import REDIS_ERRORS
from amocrm.text.printable import one_line
from locks_admin.masking import Masker
from locks_admin.monitor import lock_status
from locks_admin.monitor.filters import LockFilter
from locks_admin.monitor.lock_status import LockStatus

WOULD_CLEAR = "would_clear"
# What the terminal says; JSON has the keys.
_TEXTS = {
    WOULD_CLEAR: "would be cleared",
    ClearResult.CLEARED: "cleared",
    ClearResult.MISSING: "was gone already",
    ClearResult.CHANGED: "changed hands meanwhile, left",
    ClearResult.NOT_A_LOCK: "holds no lock, left: remove it with redis-cli",
    ClearResult.UNKNOWN: "not known: Redis went silent",
}


def seconds(text: str) -> float:
    """A number of seconds, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


class Command(BaseCommand):
    help = (
        "Clears the locks of amoCRM deliveries: all of them, or those chosen by the options "
        "(several options narrow the choice). A lock that changes hands meanwhile is left."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--key", help="only this lock, as in amocrm:lead:<email>:<digits>")
        parser.add_argument("--stale", action="store_true", help="only overdue and orphaned locks")
        parser.add_argument(
            "--older-than", type=seconds, metavar="S", help="only locks held for over S seconds"
        )
        parser.add_argument("--dry-run", action="store_true", help="show them, clear nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--noinput", action="store_false", dest="interactive", help="do not ask"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Clear what the options choose, print each lock and last the count."""
        try:
            locks = self._chosen(options)
            if options["dry_run"]:
                self._report(options, [(lock.name, WOULD_CLEAR) for lock in locks])
                return
            if locks and options["interactive"] and not options["json"]:
                self._ask(locks)
            outcome = clearing.clear(locks, by=shell_user(), why="manage.py clear_amocrm_locks")
        except REDIS_ERRORS as error:
            raise CommandError(f"Redis does not answer, so nothing was cleared: {error}") from error
        results = [(one.lock.name, one.result) for one in outcome]
        self._report(options, results)
        if unknown := sum(result is ClearResult.UNKNOWN for _name, result in results):
            raise CommandError(f"Redis went silent: what became of {unknown} is not known.")

    def _chosen(self, options: dict[str, Any]) -> list[LockStatus]:
        locks = lock_status.read()
        if options["key"] is not None:
            locks = [lock for lock in locks if lock.name == options["key"]]
            if not locks:
                raise CommandError(f"There is no lock {options['key']!r}: nothing was cleared.")
        chosen = LockFilter(stale=options["stale"], older_than=options["older_than"])
        return chosen.apply(locks, Masker(full=True))

    def _ask(self, locks: Sequence[LockStatus]) -> None:
        for lock in locks:
            self.stdout.write(f"{one_line(lock.name)}  {lock.state}  {lock.holder_id}")
        delivering = sum(lock.is_delivering for lock in locks)
        if delivering:
            self.stdout.write(
                self.style.WARNING(
                    f"{delivering} of them belong to running deliveries: those will stop and be "
                    "tried again."
                )
            )
        try:
            answer = input(f"Clear {len(locks)} locks? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was cleared.")

    def _report(self, options: dict[str, Any], results: Sequence[tuple[str, str]]) -> None:
        cleared = sum(result == ClearResult.CLEARED for _name, result in results)
        if options["json"]:
            body = {
                "success": all(result != ClearResult.UNKNOWN for _name, result in results),
                "dry_run": options["dry_run"],
                "locks": [{"key": name, "result": result} for name, result in results],
                "deleted": cleared,
            }
            self.stdout.write(json.dumps(body, ensure_ascii=False))
            return
        for name, result in results:
            self.stdout.write(f"{one_line(name)}  {_TEXTS[result]}")
        if options["dry_run"]:
            self.stdout.write(f"Would clear {len(results)} AmoCRM locks")
        else:
            self.stdout.write(f"Cleared {cleared} AmoCRM locks")
