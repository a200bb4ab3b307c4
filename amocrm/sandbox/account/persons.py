"""Who is one person, and who has two active leads: the question the sandbox exists for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from amocrm.sandbox.account.model import Contact, Lead
from amocrm.sandbox.account.store import Account

PHONE_DIGITS = 10
_NO_DIGITS = re.compile(r"\D+")

Identity = tuple[str, str]


@dataclass(frozen=True)
class Person:
    """Contacts that share an e-mail or phone or a lead, and their leads."""

    contacts: tuple[Contact, ...]
    leads: tuple[Lead, ...]

    @property
    def duplicates(self) -> list[Lead]:
        """Active leads in a pipeline where the person has more than one."""
        by_pipeline: dict[int, list[Lead]] = defaultdict(list)
        for lead in self.leads:
            if lead.is_active:
                by_pipeline[lead.pipeline_id].append(lead)
        return [lead for leads in by_pipeline.values() if len(leads) > 1 for lead in leads]


def identities(account: Account, contact: Contact) -> set[Identity]:
    """E-mails case folded, phones as their last ten digits."""
    found = {("email", one.strip().casefold()) for one in account.values(contact, "EMAIL")}
    for one in account.values(contact, "PHONE"):
        found.add(("phone", _last_digits(one)))
    return found - {("email", ""), ("phone", "")}


def _last_digits(phone: str) -> str:
    return _NO_DIGITS.sub("", phone)[-PHONE_DIGITS:]


def people(account: Account, *, ignored: Collection[str] = ()) -> list[Person]:
    """Everybody in the account. ``ignored`` e-mails and phones join nobody together."""
    parent: dict[object, object] = {}

    def root(key: object) -> object:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    joins_nobody = {("email", one.strip().casefold()) for one in ignored} | {
        ("phone", _last_digits(one)) for one in ignored
    }
    living = [one for one in account.contacts.values() if not one.is_deleted]
    leads = [one for one in account.leads.values() if not one.is_deleted]
    for contact in living:
        mine = root(("contact", contact.id))
        for identity in identities(account, contact) - joins_nobody:
            parent[root(identity)] = mine = root(mine)
    for lead in leads:
        mine = root(("lead", lead.id))
        for contact_id in lead.contact_ids:
            if account.contact(contact_id) is not None:
                parent[root(("contact", contact_id))] = mine = root(mine)
    grouped_contacts: dict[object, list[Contact]] = defaultdict(list)
    grouped_leads: dict[object, list[Lead]] = defaultdict(list)
    for contact in living:
        grouped_contacts[root(("contact", contact.id))].append(contact)
    for lead in leads:
        grouped_leads[root(("lead", lead.id))].append(lead)
    return [
        Person(tuple(grouped_contacts[one]), tuple(grouped_leads[one]))
        for one in dict.fromkeys([*grouped_contacts, *grouped_leads])
    ]
