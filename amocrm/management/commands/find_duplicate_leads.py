"""``manage.py find_duplicate_leads``: who has more than one active lead?"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from amocrm import conf
from amocrm.account.links import contact_url, lead_url
from amocrm.diagnostics.duplicate_scan import PersonWithDuplicates
from amocrm.diagnostics.duplicate_search import Duplicates, find_duplicates
from amocrm.errors import AmoError

COULD_NOT_LOOK = 2


class Command(BaseCommand):
    """Exit status 0: nobody; 1: somebody; 2: it was not possible to look."""

    help = (
        "Lists people with more than one active lead in amoCRM. Changes nothing there; what it"
        " finds of people known here is listed in the admin. Exit status 1 if there are any."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk, list, and exit with 1 if anybody was found."""
        try:
            found = find_duplicates(self._report)
        except AmoError as error:
            raise CommandError(str(error), returncode=COULD_NOT_LOOK) from error
        base_url = conf.current().base_url
        if options["json"]:
            rows = [_as_json(person, base_url) for person in found.people]
            self.stdout.write(json.dumps({"count": len(rows), "people": rows}, ensure_ascii=False))
        else:
            self._table(found, base_url)
        if found.people:
            sys.exit(1)

    def _report(self, what: str, so_far: int) -> None:
        text = _("%(count)d leads read") if what == "leads" else _("%(count)d contacts read")
        self.stderr.write(text % {"count": so_far})

    def _table(self, found: Duplicates, base_url: str) -> None:
        for person in found.people:
            named = ", ".join((*person.names, *(key.value for key in person.identities)))
            self.stdout.write(named)
            for lead_id in person.lead_ids:
                self.stdout.write(f"    {lead_url(base_url, lead_id)}")
        self.stdout.write(
            _("People with more than one active lead: %(count)d (of %(leads)d active leads)")
            % {"count": len(found.people), "leads": found.active_leads}
        )


def _as_json(person: PersonWithDuplicates, base_url: str) -> dict[str, Any]:
    return {
        "names": person.names,
        "emails": [key.value for key in person.identities if key.kind == "email"],
        "phones": [key.value for key in person.identities if key.kind == "phone"],
        "contacts": [{"id": one, "url": contact_url(base_url, one)} for one in person.contact_ids],
        "leads": [{"id": one, "url": lead_url(base_url, one)} for one in person.lead_ids],
    }
