"""``manage.py amocrm_check``: is everything there that deliveries need?"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _

from amocrm import conf
from amocrm.diagnostics.account_check import examine
from amocrm.diagnostics.finding import Finding

JSON_KEYS = ("level", "about", "text", "fix")
SIGNS = {"ok": "✅", "warning": "⚠️ ", "error": "❌"}


class Command(BaseCommand):
    """One line a finding, what to do below it; exit status 1 if anything must be fixed."""

    help = (
        "Asks the configured amoCRM account for everything that the service needs, and says in"
        " words what to fix. Exit status 1 if something must be."
    )
    # They are a part of what is shown.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
        parser.add_argument(
            "--create-test-lead", action="store_true", help="make one lead and say where it is"
        )
        parser.add_argument(
            "--language",
            choices=[code for code, _name in settings.LANGUAGES],
            default=settings.LANGUAGE_CODE,
            help="language of what is shown (%(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Show each finding as soon as it is known."""
        found: list[Finding] = []
        with translation.override(options["language"]):
            examined = examine(conf.current(), create_test_lead=options["create_test_lead"])
            for finding in examined:
                found.append(finding)
                if not options["json"]:
                    self._show(finding)
            wrong = sum(finding.level == "error" for finding in found)
            if options["json"]:
                rows = [{key: getattr(finding, key) for key in JSON_KEYS} for finding in found]
                body = {"success": not wrong, "findings": rows}
                self.stdout.write(json.dumps(body, ensure_ascii=False))
            else:
                self._sum_up(wrong, sum(finding.level == "warning" for finding in found))
        if wrong:
            sys.exit(1)

    def _show(self, finding: Finding) -> None:
        self.stdout.write(f"{SIGNS[finding.level]} {finding.text}")
        if finding.fix:
            self.stdout.write(f"   → {finding.fix}")
        self.stdout.flush()

    def _sum_up(self, wrong: int, warnings: int) -> None:
        text = _("To fix: %(wrong)d, to look at: %(warnings)d.")
        self.stdout.write(text % {"wrong": wrong, "warnings": warnings})
