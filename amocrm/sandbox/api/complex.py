"""``POST /api/v4/leads/complex``: contact and lead in one request.

amocrm.ru/developers → Сделки → Комплексное добавление; Контроль дублей.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from amocrm.sandbox.account.model import Contact, Json, Lead
from amocrm.sandbox.account.persons import Identity, identities
from amocrm.sandbox.account.store import Account
from amocrm.sandbox.api.drafts import Draft, draft_contact, draft_lead
from amocrm.sandbox.api.leads import make_lead, rewrite_lead
from amocrm.sandbox.api.patching import in_answer_order
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Answer, as_json
from amocrm.sandbox.api.validation import Problems, batch_of, request_id_of

MAX_LEADS = 50
MAX_VALUES = 40
MAX_DUPLICATES = 3


@dataclass
class _Order:
    lead: Draft
    contact: Draft | None = None
    contact_id: int | None = None
    metadata: Json | None = None
    known: list[Contact] = field(default_factory=list)


def add_complex(call: Call) -> Answer:
    """Answer with a bare list; ``request_id`` in it is a list too."""
    account = call.account
    problems = Problems()
    orders = [
        _read(account, item, request_id_of(item, place), problems)
        for place, item in enumerate(batch_of(call, limit=MAX_LEADS))
    ]
    problems.refuse()
    if call.settings.duplicate_control:
        # Looked up before anything of this request is written: never within one request.
        carriers = _carriers(account)
        for order in orders:
            order.known = _duplicates(account, carriers, order)
    if call.settings.merge_within_request:
        rows = _merged(account, orders)
    else:
        rows = [_carry_out(account, order) for order in orders]
    return as_json(200, in_answer_order(call, rows))


def _read(account: Account, item: Json, request_id: str, problems: Problems) -> _Order:
    # An empty PHP array arrives as a list.
    embedded: Json = item["_embedded"] if isinstance(item.get("_embedded"), dict) else {}
    metadata = embedded.get("metadata")
    # Metadata sends the lead to «Неразобранное», whatever stage is named.
    plain = {key: value for key, value in item.items() if metadata is None or key != "status_id"}
    order = _Order(draft_lead(account, plain, request_id, problems), metadata=metadata)
    contacts = embedded.get("contacts") or []
    if not isinstance(contacts, list) or not all(isinstance(one, dict) for one in contacts):
        contacts = []
        problems.add(
            request_id, "InvalidType", "_embedded.contacts", "This value should be of type array."
        )
    elif len(contacts) > 1:
        problems.add(
            request_id, "TooMany", "_embedded.contacts", "This collection should contain 1 element."
        )
    elif contacts:
        _read_contact(account, contacts[0], order, problems)
    named = [one.get("custom_fields_values") for one in (plain, *contacts)]
    count = sum(len(rows) for rows in named if isinstance(rows, list))
    if count > MAX_VALUES:
        problems.add(
            request_id,
            "TooMany",
            "custom_fields_values",
            f"This collection should contain {MAX_VALUES} elements or less.",
        )
    return order


def _read_contact(account: Account, model: Json, order: _Order, problems: Problems) -> None:
    prefix = "_embedded.contacts.0."
    request_id = order.lead.request_id
    if model.get("id") is None:
        order.contact = draft_contact(account, model, request_id, problems, prefix=prefix)
        return
    if not isinstance(model["id"], int) or account.contact(model["id"]) is None:
        problems.no_choice(request_id, f"{prefix}id")
    else:
        order.contact_id = model["id"]


def _merged(account: Account, orders: list[_Order]) -> list[Json]:
    """Carry out all rows as if each saw the contacts of those before; one element for a lead."""
    made: dict[Identity, Contact] = {}
    rows: dict[int, Json] = {}
    for order in orders:
        mine = _identities_of(account, order)
        order.known += [made[one] for one in sorted(mine) if one in made]
        row = _carry_out(account, order)
        if row["contact_id"] is not None:
            made.update(dict.fromkeys(mine, account.contacts[row["contact_id"]]))
        first = rows.setdefault(row["id"], row)
        if first is not row:
            first["request_id"] += row["request_id"]
            first["merged"] = True
    return list(rows.values())


def _carry_out(account: Account, order: _Order) -> Json:
    for contact in order.known:
        existing = _active_lead(account, contact, order)
        if existing is not None:
            # The stage stays where the managers have it.
            order.lead.stage = None
            order.lead.attributes.pop("name", None)
            rewrite_lead(account, existing, order.lead)
            return _row(existing, contact.id, order, merged=True)
    contact_id = order.contact_id
    if order.contact is not None:
        made = account.add_contact(**order.contact.attributes)
        order.contact.write(made)
        made.is_unsorted = order.metadata is not None
        account.touched(made)
        contact_id = made.id
    lead = make_lead(account, order.lead)
    if contact_id is not None:
        account.link(lead, contact_id, is_main=True)
    if order.metadata is not None:
        lead.metadata = order.metadata
        lead.status_id = account.pipelines[lead.pipeline_id].unsorted.id
    return _row(lead, contact_id, order, merged=False)


def _row(lead: Lead, contact_id: int | None, order: _Order, *, merged: bool) -> Json:
    return {
        "id": lead.id,
        "contact_id": contact_id,
        "company_id": None,
        "request_id": [order.lead.request_id],
        "merged": merged,
    }


def _carriers(account: Account) -> dict[Identity, list[Contact]]:
    """Who carries each e-mail and phone: read once for a request, not for each row."""
    found: dict[Identity, list[Contact]] = defaultdict(list)
    for one in account.contacts.values():
        if not one.is_deleted and not one.is_unsorted:
            for identity in identities(account, one):
                found[identity].append(one)
    return found


def _identities_of(account: Account, order: _Order) -> set[Identity]:
    """The e-mails and phones of the contact that a row brings along."""
    if order.contact is None or order.metadata is not None:
        return set()
    return identities(account, Contact(0, "", 0, 0, 0, values=order.contact.values))


def _duplicates(
    account: Account, carriers: dict[Identity, list[Contact]], order: _Order
) -> list[Contact]:
    """Contacts with the same e-mail or phone, oldest first; none if there are more than three."""
    wanted = _identities_of(account, order)
    found = {one.id: one for identity in wanted for one in carriers.get(identity, [])}
    return [found[one] for one in sorted(found)] if len(found) <= MAX_DUPLICATES else []


def _active_lead(account: Account, contact: Contact, order: _Order) -> Lead | None:
    pipeline_id = order.lead.stage[0] if order.lead.stage else account.main_pipeline.id
    found = [
        lead
        for lead in account.leads_of(contact.id)
        if lead.is_active and lead.pipeline_id == pipeline_id
    ]
    return max(found, key=lambda lead: lead.updated_at, default=None)
