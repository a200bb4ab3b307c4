"""``manage.py part_person``: what the page of a person does, for a terminal."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from amocrm import conf, ledger
from amocrm.identity import IdentityKey, parse_email, parse_phone
from amocrm.ledger import PersonState, decisions
from amocrm.ledger.decisions import CannotPart
from amocrm.management.shell_user import shell_user

_CANNOT = {
    "not_theirs": "Something of that is not theirs any more.",
    "names_nobody": "A contact alone names nobody: take an e-mail or a phone off, too.",
    "nothing_left": "That is all that they are named by: leave them an e-mail or a phone.",
}


class Command(BaseCommand):
    help = (
        "Takes e-mails, phones or contacts off a person: they are another person from then on, "
        "whatever names both. The recorded lead stays, and nothing changes in amoCRM."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("person", help="an e-mail or a phone of the person")
        parser.add_argument(
            "--take-off",
            action="append",
            required=True,
            metavar="WHAT",
            help="an e-mail, a phone, or contact:ID; several times for several",
        )
        parser.add_argument("--reason", help="why, for whoever reads it later")
        parser.add_argument("--dry-run", action="store_true", help="show it, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show who becomes whom, and part them unless that was all."""
        if not options["dry_run"] and not (options["reason"] or "").strip():
            raise CommandError("Say why with --reason, or look first with --dry-run.")
        person = _person(options["person"])
        keys = frozenset(_key(text) for text in options["take_off"])
        if strangers := sorted(key.value for key in keys - person.identities):
            raise CommandError(f"This is not theirs: {', '.join(strangers)}. {_told(person)}")
        if code := decisions.why_not(person, keys):
            raise CommandError(_CANNOT[code])
        if options["dry_run"]:
            self._show(person, keys)
            self.stdout.write(f"Would take {len(keys)} off")
            return
        try:
            decisions.part(person.id, keys, by=shell_user(), reason=options["reason"])
        except CannotPart as error:  # changed in this moment
            raise CommandError(_CANNOT[error.code]) from error
        except ledger.CreationPending as error:
            raise CommandError(
                "A lead of theirs may be on its way: try again in a few minutes."
            ) from error
        self._show(person, keys)
        self.stdout.write(f"Took {len(keys)} off")

    def _show(self, person: PersonState, keys: frozenset[IdentityKey]) -> None:
        stays = sorted(key.value for key in person.identities - keys)
        taken = sorted(key.value for key in keys)
        self.stdout.write(f"Stays: {', '.join(stays)} (lead {person.lead_id or 'none'})")
        self.stdout.write(f"Another person: {', '.join(taken)}")


def _person(text: str) -> PersonState:
    key = _key(text)
    owner = ledger.owners(conf.current().account, [key]).get(key)
    if owner is None:
        raise CommandError(f"Nobody is known by {text!r}.")
    return ledger.read(owner)


def _key(text: str) -> IdentityKey:
    kind, _colon, number = text.partition(":")
    if kind == "contact" and number.isdecimal():
        return ledger.contact_key(int(number))
    if email := parse_email(text):
        return IdentityKey("email", email)
    if phone := parse_phone(text, conf.current().phone_region):
        return IdentityKey("phone", phone)
    raise CommandError(f"{text!r} is neither an e-mail nor a phone nor contact:ID.")


def _told(person: PersonState) -> str:
    return f"They have: {', '.join(sorted(key.value for key in person.identities))}."
