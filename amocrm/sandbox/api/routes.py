"""Which endpoint answers which path."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from amocrm.sandbox.account.store import Account
from amocrm.sandbox.api import account, complex, contacts, leads, links, notes
from amocrm.sandbox.api.request import Call, Request
from amocrm.sandbox.api.responses import (
    Answer,
    Refusal,
    method_not_allowed,
    not_found,
    unauthorized,
)
from amocrm.sandbox.api.validation import request_id_of
from amocrm.sandbox.settings import Settings

Endpoint = Callable[[Call], Answer]

_TABLE: list[tuple[str, str, Endpoint]] = [
    ("GET", "account", account.account),
    ("GET", "leads/pipelines", account.pipelines),
    ("GET", "leads/pipelines/{id}", account.pipeline),
    ("GET", "leads/pipelines/{id}/statuses", account.stages),
    ("GET", "leads/pipelines/{id}/statuses/{id}", account.stage),
    ("GET", "leads/custom_fields", account.lead_fields),
    ("GET", "leads/custom_fields/{id}", account.lead_field),
    ("GET", "contacts/custom_fields", account.contact_fields),
    ("GET", "contacts/custom_fields/{id}", account.contact_field),
    ("GET", "leads/tags", account.lead_tags),
    ("GET", "contacts/tags", account.contact_tags),
    ("GET", "contacts", contacts.contact_list),
    ("POST", "contacts", contacts.add_contacts),
    ("PATCH", "contacts", contacts.patch_contacts),
    ("GET", "contacts/{id}", contacts.contact),
    ("PATCH", "contacts/{id}", contacts.patch_contacts),
    ("GET", "leads", leads.lead_list),
    ("POST", "leads", leads.add_leads),
    ("PATCH", "leads", leads.patch_leads),
    ("GET", "leads/{id}", leads.lead),
    ("PATCH", "leads/{id}", leads.patch_leads),
    ("POST", "leads/complex", complex.add_complex),
    ("GET", "leads/notes", notes.note_list),
    ("POST", "leads/notes", notes.add_notes),
    ("GET", "leads/notes/{id}", notes.note),
    ("GET", "leads/{id}/notes", notes.note_list),
    ("POST", "leads/{id}/notes", notes.add_notes),
    ("GET", "leads/{id}/notes/{id}", notes.note),
    ("GET", "leads/{id}/links", links.link_list),
    ("POST", "leads/{id}/link", links.add_links),
    ("POST", "leads/{id}/unlink", links.remove_links),
]

_NUMBER = re.compile(r"/\d+(?=/|\Z)")
_COMPILED = [
    (method, re.compile("/api/v4/" + path.replace("{id}", r"(\d+)") + "/?"), endpoint)
    for method, path, endpoint in _TABLE
]


def template_of(path: str) -> str:
    """The path with its numbers replaced by ``{id}``, for counting."""
    return _NUMBER.sub("/{id}", path.rstrip("/") or "/")


def answer(account: Account, settings: Settings, request: Request) -> Answer:
    """Let the right endpoint answer, with the whole account to itself."""
    if not request.token or {request.token, "*"} & set(settings.revoked_tokens):
        return unauthorized()
    known = False
    for method, pattern, endpoint in _COMPILED:
        found = pattern.fullmatch(request.path)
        if found is None:
            continue
        known = True
        if method != request.method:
            continue
        ids = tuple(int(one) for one in found.groups())
        with account.lock:
            call = Call(account, settings, request, ids)
            try:
                return endpoint(call)
            except Refusal as refusal:
                if settings.partial_400 and refusal.named:
                    _carry_out_others(endpoint, call, refusal.named)
                return refusal.answer
    return method_not_allowed() if known else not_found()


def _carry_out_others(endpoint: Endpoint, call: Call, named: Collection[str]) -> None:
    """Carry out the rows of a batch that no validation error names; nobody hears of it."""
    others = [
        item
        for place, item in enumerate(call.request.rows)
        if request_id_of(item, place) not in named
    ]
    if others:
        endpoint(replace(call, request=call.request.with_rows(others)))
