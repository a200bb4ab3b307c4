"""What the note says beside the form: what could not be used, and who else may be this person."""

from __future__ import annotations

from collections.abc import Iterator

from amocrm import ledger
from amocrm.account.links import contact_url, lead_url
from amocrm.identity import IdentityKey, printed_email, printed_phone
from amocrm.ledger import PersonState, duplicates
from amocrm.upsert import payloads
from amocrm.upsert.context import UpsertContext

_KINDS = {"email": "E-mail", "phone": "Телефон"}
_SHARED = {"email": "общий адрес", "phone": "общий номер"}


def remarks(context: UpsertContext, lead_id: int) -> Iterator[tuple[str, str]]:
    """The parts of the note that depend on more than the form: a name for the marker, and the
    text."""
    sections = (
        ("remarks", _left_out(context)),
        ("named", _not_used(context)),
        ("people", _other_people(context)),
        ("leads", _other_leads(context, lead_id)),
        ("contacts", _other_contacts(context)),
    )
    for part, lines in sections:
        if text := "\n".join(lines):
            yield part, text


def _left_out(context: UpsertContext) -> Iterator[str]:
    """What could not be brought into the lead as the form asked."""
    if context.schema().lacks(context.request.stage):
        yield (
            f"⚠️ Этапа {context.request.stage}, на который должна была попасть заявка, в воронке "
            "нет: новая сделка создаётся на первом этапе."
        )
    if payloads.left_out(context.request):
        yield "⚠️ amoCRM не принимала сделку с метками рекламы и тегами, отправлено без них."


def _not_used(context: UpsertContext) -> Iterator[str]:
    """The e-mails and phones of the form that name nobody, or are beyond what a person gathers."""
    account, unattached = context.person.account, context.named - context.person.identities
    identifying = ledger.identifying(account, unattached)  # some may have stopped meanwhile
    for key in sorted((context.request.named - context.named) | (unattached - identifying)):
        yield f"⚠️ {_printed(key)} — {_SHARED[key.kind]}, по нему никого не искали."
    for key in sorted(identifying - ledger.owners(account, identifying).keys()):
        yield (
            f"⚠️ {_printed(key)} не добавлен к контакту: у этого человека уже "
            f"{context.settings.person_max_identities} таких."
        )


def _other_people(context: UpsertContext) -> Iterator[str]:
    """Who may be the same person, and whom else the form names."""
    base_url = context.settings.base_url
    partners = ledger.partners(context.person.id)
    if partners:
        yield "⚠️ Возможно, это тот же человек; один он или их двое, решает оператор:"
        for partner in map(ledger.read, partners):
            yield _where(partner, base_url)
    owned = ledger.owners(context.person.account, context.named - context.person.identities)
    for key, owner_id in sorted(owned.items()):
        if owner_id not in partners:
            other = ledger.read(owner_id)
            yield f"⚠️ {_printed(key)} принадлежит другому человеку: {_where(other, base_url)}"


def _other_leads(context: UpsertContext, lead_id: int) -> Iterator[str]:
    """The person's active leads beside this one, the recorded one among them: an earlier try
    may go on from a lead that is not recorded any more."""
    found = set(duplicates.active(context.person.id))
    recorded = context.person.lead_id
    if recorded and recorded != lead_id:
        lead = context.crm.lead(recorded)
        if lead and lead.is_active(context.schema().pipeline_id):
            found.add(recorded)
    if others := sorted(found - {lead_id}):
        yield "⚠️ У этого человека есть и другие активные сделки:"
        yield from (lead_url(context.settings.base_url, one) for one in others)


def _other_contacts(context: UpsertContext) -> Iterator[str]:
    if len(contacts := sorted(context.person.contacts)) > 1:
        yield "⚠️ У этого человека несколько контактов:"
        yield from (contact_url(context.settings.base_url, one) for one in contacts)


def _where(person: PersonState, base_url: str) -> str:
    """A link to the person's lead, else to a contact of theirs."""
    if person.lead_id:
        return lead_url(base_url, person.lead_id)
    if person.contacts:
        return contact_url(base_url, min(person.contacts))
    return "сделки ещё нет"


def _printed(key: IdentityKey) -> str:
    printed = printed_email(key.value) if key.kind == "email" else printed_phone(key.value)
    return f"{_KINDS[key.kind]} {printed}"
