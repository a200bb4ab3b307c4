"""``manage.py clear_amocrm_locks``: what the page's clear buttons do, for a terminal."""

from __future__ import annotations

import argparse
import getpass
import json
import socket
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from amocrm.locks.clearing import Result
from amocrm.locks.connection import REDIS_ERRORS
from amocrm.text.printable import one_line
from locks_admin.monitor import lock_status
from locks_admin.monitor.lock_status import DELIVERING, LockStatus

_WORDS = {
    Result.CLEARED: "cleared",
    Result.MISSING: "was gone already",
    Result.CHANGED: "changed hands meanwhile, left",
    Result.NOT_A_LOCK: "holds no lock, left: remove it with redis-cli",
    Result.UNKNOWN: "not known: Redis went silent",
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
            rows = self._chosen(options)
            if options["dry_run"]:
                self._report(options, [(row.name, "would be cleared") for row in rows], 0)
                return
            if rows and options["interactive"] and not options["json"]:
                self._ask(rows)
            outcome = lock_status.clear(rows, by=_me(), why="manage.py clear_amocrm_locks")
        except REDIS_ERRORS as trouble:
            raise CommandError(
                f"Redis does not answer, so nothing was cleared: {trouble}"
            ) from trouble
        lines = [(one.row.name, _WORDS[one.result]) for one in outcome]
        results = lock_status.tally(outcome)
        self._report(options, lines, results[Result.CLEARED])
        if unknown := results[Result.UNKNOWN]:
            raise CommandError(f"Redis went silent: what became of {unknown} is not known.")

    def _chosen(self, options: dict[str, Any]) -> list[LockStatus]:
        rows = lock_status.read()
        if options["key"] is not None:
            rows = [row for row in rows if row.name == options["key"]]
            if not rows:
                raise CommandError(f"There is no lock {options['key']!r}: nothing was cleared.")
        return lock_status.only(rows, stale=options["stale"], older_than=options["older_than"])

    def _ask(self, rows: Sequence[LockStatus]) -> None:
        for row in rows:
            self.stdout.write(f"{one_line(row.name)}  {row.state}  {row.lock.holder_id}")
        delivering = sum(row.state in DELIVERING for row in rows)
        if delivering:
            self.stdout.write(
                self.style.WARNING(
                    f"{delivering} of them belong to running deliveries: those will stop and be "
                    "tried again."
                )
            )
        try:
            answer = input(f"Clear {len(rows)} locks? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was cleared.")

    def _report(self, options: dict[str, Any], lines: list[tuple[str, str]], count: int) -> None:
        if options["json"]:
            body = {
                "success": all(result != _WORDS[Result.UNKNOWN] for _, result in lines),
                "dry_run": options["dry_run"],
                "locks": [{"key": name, "result": result} for name, result in lines],
                "deleted": count,
            }
            self.stdout.write(json.dumps(body, ensure_ascii=False))
            return
        for name, result in lines:
            self.stdout.write(f"{one_line(name)}  {result}")
        if options["dry_run"]:
            self.stdout.write(f"Would clear {len(lines)} AmoCRM locks")
        else:
            self.stdout.write(f"Cleared {count} AmoCRM locks")


def _me() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in many containers
        name = "somebody"
    return f"{name}@{socket.gethostname()}"
