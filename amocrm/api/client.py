"""The client of amoCRM API v4: what this service asks of an account, call by call.

Each method says what it asks and reads the answer; how a call is sent is the matter of
:mod:`amocrm.api.sender`, what an answer means that of :mod:`amocrm.api.responses`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol, TypeVar

import requests

from amocrm import conf
from amocrm.api import paging, rate_limit
from amocrm.api.deadline import DeadlineAdapter
from amocrm.api.paging import Page
from amocrm.api.responses import ApiResponse
from amocrm.api.schemas import (
    Contact,
    Created,
    Json,
    Lead,
    Note,
    UnreadableAnswer,
    embedded,
    has_next,
    note_text,
)
from amocrm.api.sender import Hook, Sender, nothing
from amocrm.api.tokens import source
from amocrm.api.transport import Exchange
from amocrm.errors import (
    AccountPaused,
    AmoError,
    LeadGone,
    OutcomeUnknown,
    Refused,
    RetryLater,
)

NOT_FOUND = 404

T = TypeVar("T")


class Sends(Protocol):
    """What a client sends through: :class:`amocrm.api.sender.Sender`, or what stands for it where
    deliveries share their requests (:mod:`amocrm.upsert.together`)."""

    def guarded_by(self, checkpoint: Hook) -> Sends: ...

    def probing(self) -> Sends: ...

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        just_before: Hook = nothing,
    ) -> ApiResponse: ...


def _as_it_is(body: Any) -> Any:
    return body


class Client:
    """What this service asks of an account. Every method raises what :mod:`amocrm.errors`
    lists; lists come page by page (:mod:`amocrm.api.paging`)."""

    def __init__(self, sender: Sends) -> None:
        self.sender = sender

    def guarded_by(self, checkpoint: Hook) -> Client:
        """The same client, calling ``checkpoint`` before every request, reads included."""
        return Client(self.sender.guarded_by(checkpoint))

    def probing(self) -> Client:
        """The same client, speaking to the account although it is paused."""
        return Client(self.sender.probing())

    # Account: amocrm.ru/developers, "Параметры аккаунта", "Воронки", "Поля" ---------------

    def account(self) -> Json:
        """Who this account is, with its time zone."""
        wanted = {"with": "datetime_settings"}
        return self._read("account", wanted, _as_it_is)

    def pipelines(self) -> list[Json]:
        """All pipelines with their stages."""
        return self._read("leads/pipelines", None, lambda body: embedded(body, "pipelines"))

    def lead_fields(self, page: int) -> Page[Json]:
        """The custom fields of leads."""
        return self._list("leads/custom_fields", "custom_fields", page)

    # Contacts: "Контакты" -----------------------------------------------------------------

    def search_contacts(self, query: str, page: int) -> Page[Contact]:
        """What the loose full-text search finds: strangers too. Newest first."""
        return self._contacts({"query": query}, page)

    def newest_contacts(self, page: int) -> Page[Contact]:
        """All contacts by descending id, which is the order in which they were made."""
        return self._contacts({}, page)

    def changed_contacts(self, page: int) -> Page[Contact]:
        """All contacts by descending time of their last change, without the ids of their leads.

        Works on every account (seen live), where the filters by time are a paid option.
        """
        return self._list(
            "contacts", "contacts", page, {"order[updated_at]": "desc"}, Contact.parse
        )

    def contact(self, contact_id: int) -> Contact | None:
        """One contact with the ids of its leads, ``None`` if there is none."""
        return self._one(f"contacts/{contact_id}", {"with": "leads"}, Contact.parse)

    def listed_contact(self, contact_id: int) -> tuple[Contact | None, bool]:
        """The contact as the list by id shows it, and whether there surely is none otherwise.

        A contact that answers 204 by itself was seen in that list. Where the account has no
        filters (a paid option on .ru), it is ignored: a page of all contacts comes back, which
        proves nothing unless it is the only one.
        """
        page = self._contacts({"filter[id][]": contact_id}, 1)
        found = next((contact for contact in page.rows if contact.id == contact_id), None)
        return found, not page.has_next

    def update_contact(self, contact_id: int, body: Json) -> None:
        """Change a contact. A multi-value field is replaced as a whole."""
        self._write("PATCH", f"contacts/{contact_id}", body)

    def _contacts(self, params: Mapping[str, Any], page: int) -> Page[Contact]:
        listing = {**params, "with": "leads", "order[id]": "desc"}
        return self._list("contacts", "contacts", page, listing, Contact.parse)

    # Leads: "Сделки" ----------------------------------------------------------------------

    def newest_leads(self, page: int) -> Page[Lead]:
        """All leads by descending id, with the ids of their contacts."""
        listing = {"with": "contacts", "order[id]": "desc"}
        return self._list("leads", "leads", page, listing, Lead.parse)

    def lead(self, lead_id: int) -> Lead | None:
        """One lead with its contacts, ``None`` if there is none."""
        return self._one(f"leads/{lead_id}", {"with": "contacts"}, Lead.parse)

    def create_lead(self, body: Json, *, just_before: Hook = nothing) -> Created:
        """Make a lead with its contact in one call ("Комплексное добавление").

        ``just_before`` runs between the checkpoint and the sending, and may raise.
        """
        try:
            response = self._write("POST", "leads/complex", [body], just_before=just_before)
        except LeadGone as error:  # of a lead that did not exist: who knows what that means
            raise error.recast(OutcomeUnknown) from error
        try:
            return Created.parse(response.body)
        except UnreadableAnswer:
            raise _unreadable(response, OutcomeUnknown) from None

    def update_lead(self, lead_id: int, body: Json) -> None:
        """Change a lead. Raises :class:`~amocrm.errors.LeadGone` if there is none."""
        with _lead_may_be_gone():
            self._write("PATCH", f"leads/{lead_id}", body)

    # Notes: "События и примечания" ---------------------------------------------------------

    def note_texts(self, lead_id: int, page: int) -> Page[str]:
        """The texts of a lead's notes, the newest first."""
        listing = {"filter[note_type]": "common", "order[id]": "desc"}
        return self._list(f"leads/{lead_id}/notes", "notes", page, listing, note_text)

    def newest_notes(self, page: int) -> Page[Note]:
        """The notes of all leads by descending id."""
        listing = {"filter[note_type]": "common", "order[id]": "desc"}
        return self._list("leads/notes", "notes", page, listing, Note.parse)

    def add_notes(self, lead_id: int, texts: list[str], *, just_before: Hook = nothing) -> None:
        """Write notes, all or none. Raises :class:`~amocrm.errors.LeadGone` if there is no such
        lead."""
        rows = [{"note_type": "common", "params": {"text": text}} for text in texts]
        with _lead_may_be_gone():
            self._write("POST", f"leads/{lead_id}/notes", rows, just_before=just_before)

    # What comes back -----------------------------------------------------------------------

    def _read(self, path: str, params: Mapping[str, Any] | None, parse: Callable[[Json], T]) -> T:
        return self._read_at(path, params, lambda body, asked_at: parse(body))

    def _read_at(
        self, path: str, params: Mapping[str, Any] | None, parse: Callable[[Json, datetime], T]
    ) -> T:
        """As :meth:`_read`; ``parse`` is also told when it was asked, by amoCRM's clock."""
        response = self.sender.send("GET", path, params=params)
        body = {} if response.status == 204 else response.body
        if not isinstance(body, Mapping):
            raise _unreadable(response, RetryLater)
        try:
            return parse(body, response.asked_at)
        except UnreadableAnswer:
            raise _unreadable(response, RetryLater) from None

    def _one(self, path: str, params: Mapping[str, Any], parse: Callable[[Json], T]) -> T | None:
        """``None`` where there is none. That is a 204; should it be 404 one day, it means the
        same, as long as the API says so and not a server in front of it."""
        try:
            return self._read(path, params, lambda body: parse(body) if body else None)
        except Refused as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def _list(
        self,
        path: str,
        kind: str,
        page: int,
        listing: Mapping[str, Any] | None = None,
        parse: Callable[[Json], T] = _as_it_is,
    ) -> Page[T]:
        def fetch(size: int, number: int) -> Page[T]:
            def read(body: Json, asked_at: datetime) -> Page[T]:
                rows = [parse(row) for row in embedded(body, kind)]
                return Page(rows, has_next(body) or len(rows) >= size, asked_at)

            return self._read_at(path, {**(listing or {}), "limit": size, "page": number}, read)

        return paging.whole_page(fetch, page)

    def _write(
        self, method: str, path: str, body: Any, *, just_before: Hook = nothing
    ) -> ApiResponse:
        """A success without amoCRM's JSON is somebody else's (a portal, a maintenance page)."""
        response = self.sender.send(method, path, body=body, just_before=just_before)
        if not response.is_json and not (method == "PATCH" and response.status == 204):
            raise _unreadable(response, OutcomeUnknown)
        return response


@contextmanager
def connect(settings: conf.AmoSettings) -> Iterator[Client]:
    """A client of the configured account; its connections are closed at the end.

    Raises :class:`~amocrm.errors.AccountPaused` when the configured token cannot be one.
    """
    try:
        tokens = source(settings)
    except ValueError as error:
        raise AccountPaused(f"amoCRM cannot be asked: {error} (AMOCRM_ACCESS_TOKEN)") from None
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc: the token goes to one host only
        session.mount("http://", DeadlineAdapter())
        session.mount("https://", DeadlineAdapter())
        exchange = Exchange(
            base_url=settings.base_url, tokens=tokens, session=session, timeout=settings.timeout
        )
        yield Client(
            Sender(
                exchange=exchange,
                account=settings.account,
                limiter=rate_limit.for_account(settings),
                max_wait=settings.lock_ttl / 2,
            )
        )


@contextmanager
def _lead_may_be_gone() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        if error.status != NOT_FOUND:
            raise
        raise error.recast(LeadGone) from error


def _unreadable(response: ApiResponse, kind: type[RetryLater]) -> AmoError:
    error = kind(f"amoCRM's answer cannot be read: {response.status} {response.message}")
    return error.with_response(
        status=response.status, request_id=response.request_id, crm_message=response.message
    )
