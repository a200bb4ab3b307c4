"""``manage.py find_duplicate_leads``: who has more than one active lead?"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from amocrm import conf
from amocrm.account.links import contact_url, lead_url
from amocrm.account.schema import fetch_schema
from amocrm.api.client import connect
from amocrm.diagnostics import duplicate_scan, faults
from amocrm.diagnostics.duplicate_scan import PersonWithDuplicates
from amocrm.errors import AmoError

COULD_NOT_LOOK = 2


class Command(BaseCommand):
    """Exit status 0: nobody; 1: somebody; 2: it was not possible to look."""

    help = (
        "Lists people with more than one active lead in amoCRM. Changes nothing there."
        " Exit status 1 if there are any."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare ``--json``."""
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk, list, and exit with 1 if anybody was found."""
        settings = conf.current()
        try:
            with connect(settings) as client:
                schema = fetch_schema(client, settings)
                if schema is None:
                    advice = _("Run manage.py amocrm_check: it shows which there are.")
                    raise CommandError(
                        f"{faults.no_pipeline(settings)} {advice}", returncode=COULD_NOT_LOOK
                    )
                counted = duplicate_scan.scan(client, schema.pipeline_id, self._report)
                duplicate_scan.refresh_known_duplicates(
                    client, counted, schema.pipeline_id, settings.account
                )
        except AmoError as error:
            raise CommandError(str(error), returncode=COULD_NOT_LOOK) from error
        found = duplicate_scan.people_with_duplicates(counted, settings)
        if options["json"]:
            rows = [_as_json(person, settings.base_url) for person in found]
            self.stdout.write(json.dumps({"count": len(rows), "people": rows}, ensure_ascii=False))
        else:
            self._table(found, settings.base_url, len(counted.leads))
        if found:
            sys.exit(1)

    def _report(self, what: str, so_far: int) -> None:
        text = _("%(count)d leads read") if what == "leads" else _("%(count)d contacts read")
        self.stderr.write(text % {"count": so_far})

    def _table(self, found: list[PersonWithDuplicates], base_url: str, leads: int) -> None:
        for person in found:
            named = ", ".join((*person.names, *(key.value for key in person.identities)))
            self.stdout.write(f"{named}")
            for lead_id in person.lead_ids:
                self.stdout.write(f"    {lead_url(base_url, lead_id)}")
        self.stdout.write(
            _("People with more than one active lead: %(count)d (of %(leads)d active leads)")
            % {"count": len(found), "leads": leads}
        )


def _as_json(person: PersonWithDuplicates, base_url: str) -> dict[str, Any]:
    return {
        "names": person.names,
        "emails": [key.value for key in person.identities if key.kind == "email"],
        "phones": [key.value for key in person.identities if key.kind == "phone"],
        "contacts": [{"id": one, "url": contact_url(base_url, one)} for one in person.contact_ids],
        "leads": [{"id": one, "url": lead_url(base_url, one)} for one in person.lead_ids],
    }
