"""Clients of amoCRM as the service builds them, of accounts that a test makes up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from amocrm import conf
from amocrm.api.client import Client, connect

URL = "https://school.amocrm.ru"
API = f"{URL}/api/v4"
TOKEN = "a-token-that-must-not-be-seen-anywhere"


@contextmanager
def client_of(base_url: str = URL, **changes: Any) -> Iterator[Client]:
    """A client of ``base_url``; ``changes`` are other settings."""
    settings = replace(conf.current(), base_url=base_url, access_token=TOKEN, **changes)
    with connect(settings) as client:
        yield client


def nothing() -> None:
    """A hook that does nothing."""


def create(client: Client) -> object:
    """The write that must never be repeated in the dark."""
    return client.create_lead({"name": "Test"}, just_before=nothing)


# Every kind of call, by its name; the ones of the second list write.
READS: dict[str, Callable[[Client], object]] = {
    "account": lambda client: client.account(),
    "pipelines": lambda client: client.pipelines(),
    "fields": lambda client: client.lead_fields(1),
    "search": lambda client: client.search_contacts("x", 1),
    "contacts": lambda client: client.newest_contacts(1),
    "contact": lambda client: client.contact(1),
    "leads": lambda client: client.newest_leads(1),
    "lead": lambda client: client.lead(1),
    "notes": lambda client: client.note_texts(1, 1),
}
WRITES: dict[str, Callable[[Client], object]] = {
    "create": create,
    "update": lambda client: client.update_lead(1, {"name": "Test"}),
    "contact": lambda client: client.update_contact(1, {"name": "Test"}),
    "notes": lambda client: client.add_notes(1, ["Test"], just_before=nothing),
}


def any_url() -> Any:
    """Whatever is asked of :data:`URL`."""
    return re.compile(rf"{re.escape(URL)}/.*")
