"""``manage.py amocrm_sandbox``: an amoCRM account in memory, on loopback only."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from amocrm import conf, ledger, mirror
from amocrm.sandbox.cli import DEFAULT_PORT, CannotStart, add_arguments, serve


class Command(BaseCommand):
    """Serves until SIGINT or SIGTERM; a port that is busy is a :class:`CommandError`."""

    help = "Runs the sandbox amoCRM: everything in memory, any token will do, loopback only."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options; the port is that of ``AMOCRM_BASE_URL`` unless given."""
        base_url = str(getattr(settings, "AMOCRM_BASE_URL", ""))
        add_arguments(parser, default_port=urlsplit(base_url).port or DEFAULT_PORT)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Serve. Raises :class:`CommandError` with a sentence when that is impossible."""

        def announce(line: str) -> None:
            self.stdout.write(line)
            if self._is_configured(options["host"], options["port"]):
                self._forget_the_last_one()
            self.stdout.flush()

        try:
            serve(
                host=options["host"],
                port=options["port"],
                index_lag=options["index_lag"],
                rps=options["rps"],
                announce=announce,
            )
        except CannotStart as error:
            raise CommandError(str(error)) from None

    def _is_configured(self, host: str, port: int) -> bool:
        """Whether the service speaks to the sandbox at this address."""
        url = urlsplit(conf.current().base_url)
        hosts = {host, "localhost"} if host in ("127.0.0.1", "::1") else {host}
        return url.hostname in hosts and (url.port or 80) == port

    def _forget_the_last_one(self) -> None:
        """The account is empty at every start: what the ledger knows of it is no longer so."""
        try:
            forgotten = ledger.forget_account(conf.current().account)
            mirror.forget_account(conf.current().account)
        except DatabaseError:  # not migrated yet: it knows nobody
            return
        if forgotten:
            self.stdout.write(f"The account is a new one: {forgotten} people forgotten.")
