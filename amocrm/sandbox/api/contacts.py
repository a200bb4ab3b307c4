"""Contacts. amocrm.ru/developers → Контакты."""

from __future__ import annotations

from amocrm.sandbox.account.model import Contact, Json
from amocrm.sandbox.api.drafts import draft_contact
from amocrm.sandbox.api.listing import filtered, listed, ordered, page_of
from amocrm.sandbox.api.patching import collection, patch, patched
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Answer, as_json, nothing
from amocrm.sandbox.api.serializers import contact_json, links
from amocrm.sandbox.api.validation import Problems, batch_of, request_id_of


def contact_list(call: Call) -> Answer:
    """``GET /api/v4/contacts``: without those of «Неразобранное»."""
    account, settings = call.account, call.settings
    rows = [one for one in account.contacts.values() if not one.is_deleted and not one.is_unsorted]
    query = call.request.query.get("query", [""])[-1]
    if query.strip():
        hits = account.index.find(
            query,
            now=account.clock.seconds(),
            lag=settings.index_lag,
            see_through_phones=settings.see_through_phones,
            strangers=settings.strangers,
        )
        rows = [one for one in rows if one.id in hits]
    else:
        rows = listed(call, rows)
    # Sorting by created_at is documented nowhere for contacts and ignored by live accounts.
    rows = ordered(call, filtered(call, rows), by=("id", "updated_at", "name"))
    return page_of(
        call, rows, name="contacts", path="contacts", printed=lambda one: _printed(call, one)
    )


def contact(call: Call) -> Answer:
    """``GET /api/v4/contacts/{id}``: 204 if there is none."""
    found = call.account.contact(call.ids[0])
    return as_json(200, _printed(call, found)) if found else nothing()


def add_contacts(call: Call) -> Answer:
    """``POST /api/v4/contacts`` with a list."""
    problems = Problems()
    drafts = [
        draft_contact(call.account, item, request_id_of(item, place), problems)
        for place, item in enumerate(batch_of(call))
    ]
    problems.refuse()
    rows: list[Json] = []
    for draft in drafts:
        made = call.account.add_contact(**draft.attributes)
        draft.write(made)
        call.account.touched(made)
        rows.append(
            {
                "id": made.id,
                "request_id": draft.request_id,
                "_links": links(call.base, f"contacts/{made.id}"),
            }
        )
    return collection(call, "contacts", rows)


def patch_contacts(call: Call) -> Answer:
    """``PATCH /api/v4/contacts`` with a list, ``PATCH /api/v4/contacts/{id}`` with an object.

    A multitext field that is named gets exactly the values given; others stay.
    """
    changes = patch(
        call,
        find=call.account.contact,
        read=lambda one, item, request_id, problems: draft_contact(
            call.account, item, request_id, problems, current=one
        ),
    )
    rows: list[Json] = []
    for entity, draft in changes:
        draft.write(entity)
        call.account.touched(entity)
        rows.append(
            {
                "id": entity.id,
                "name": entity.name,
                "updated_at": entity.updated_at,
                "_links": links(call.base, f"contacts/{entity.id}"),
            }
        )
    return patched(call, "contacts", rows, documented="embedded")


def _printed(call: Call, one: Contact) -> Json:
    return contact_json(
        call.account, one, call.base, call.wanted, old_enum_key=call.settings.old_enum_key
    )
