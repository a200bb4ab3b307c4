"""Which endpoint answers which path."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import api_account, api_complex, api_contacts, api_leads, api_links, api_notes
from .answers import Answer, Refusal, method_not_allowed, not_found, unauthorized
from .call import Call, Request
from .settings import Settings
from .store import Account

Endpoint = Callable[[Call], Answer]

_TABLE: list[tuple[str, str, Endpoint]] = [
    ("GET", "account", api_account.account),
    ("GET", "leads/pipelines", api_account.pipelines),
    ("GET", "leads/pipelines/{id}", api_account.pipeline),
    ("GET", "leads/pipelines/{id}/statuses", api_account.stages),
    ("GET", "leads/pipelines/{id}/statuses/{id}", api_account.stage),
    ("GET", "leads/custom_fields", api_account.lead_fields),
    ("GET", "leads/custom_fields/{id}", api_account.lead_field),
    ("GET", "contacts/custom_fields", api_account.contact_fields),
    ("GET", "contacts/custom_fields/{id}", api_account.contact_field),
    ("GET", "leads/tags", api_account.lead_tags),
    ("GET", "contacts/tags", api_account.contact_tags),
    ("GET", "contacts", api_contacts.contact_list),
    ("POST", "contacts", api_contacts.add_contacts),
    ("PATCH", "contacts", api_contacts.patch_contacts),
    ("GET", "contacts/{id}", api_contacts.contact),
    ("PATCH", "contacts/{id}", api_contacts.patch_contacts),
    ("GET", "leads", api_leads.lead_list),
    ("POST", "leads", api_leads.add_leads),
    ("PATCH", "leads", api_leads.patch_leads),
    ("GET", "leads/{id}", api_leads.lead),
    ("PATCH", "leads/{id}", api_leads.patch_leads),
    ("POST", "leads/complex", api_complex.add_complex),
    ("GET", "leads/notes", api_notes.note_list),
    ("POST", "leads/notes", api_notes.add_notes),
    ("GET", "leads/notes/{id}", api_notes.note),
    ("GET", "leads/{id}/notes", api_notes.note_list),
    ("POST", "leads/{id}/notes", api_notes.add_notes),
    ("GET", "leads/{id}/notes/{id}", api_notes.note),
    ("GET", "leads/{id}/links", api_links.link_list),
    ("POST", "leads/{id}/link", api_links.add_links),
    ("POST", "leads/{id}/unlink", api_links.remove_links),
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
            try:
                return endpoint(Call(account, settings, request, ids))
            except Refusal as refusal:
                return refusal.answer
    return method_not_allowed() if known else not_found()
