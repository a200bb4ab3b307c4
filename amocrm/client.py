"""The client of amoCRM API v4: one method sends, one table says what an answer means.

It never repeats a request: whether a call may be made again is for the caller to know. The
token source, the limiter, the session and the checkpoint are injected.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import requests
from django.utils import timezone

from amocrm import answers, conf, limiter, pause
from amocrm.answers import Answer, Meaning
from amocrm.deadline import DeadlineAdapter
from amocrm.entities import (
    Contact,
    Created,
    Json,
    Lead,
    UnreadableAnswer,
    embedded,
    has_next,
    note_text,
)
from amocrm.errors import (
    AccountPaused,
    AmoError,
    ComeBack,
    OutcomeUnknown,
    Refused,
    RetryLater,
)
from amocrm.exchange import Exchange
from amocrm.paging import PAGE_SIZE, Page
from amocrm.story import logger
from amocrm.tokens import LongLivedToken, TokenSource

log = logger(__name__)

# How often a checkpoint is repeated because it outlasted the place under the limit.
CHECKPOINTS = 3
LATE_PATIENCE = 2.0  # seconds to wait for a place after the last of them
LONGEST_STALL = 5.0  # seconds between the claim and the sending: who stalls longer gives up

Hook = Callable[[], None]
T = TypeVar("T")


def _nothing() -> None:
    return None


def _as_it_is(body: Any) -> Any:
    return body


class Client:
    """What this service asks of an account. Every method raises what :mod:`amocrm.errors`
    lists; lists come page by page (:mod:`amocrm.paging`)."""

    def __init__(
        self,
        *,
        base_url: str,
        account: str,
        tokens: TokenSource,
        session: requests.Session,
        calls: limiter.Limiter,
        timeout: float,
        patience: float,
    ) -> None:
        """``timeout``: seconds for one call, connecting included. ``patience``: seconds to
        wait for a place under the limit."""
        self._exchange = Exchange(
            base_url=base_url, tokens=tokens, session=session, timeout=timeout
        )
        self._account = account
        self._calls = calls
        self._patience = patience
        self._checkpoint: Hook = _nothing
        self._heeds_pause = True

    def guarded_by(self, checkpoint: Hook) -> Client:
        """The same client, calling ``checkpoint`` before every request, reads included."""
        guarded = copy.copy(self)
        guarded._checkpoint = checkpoint
        return guarded

    def probing(self) -> Client:
        """The same client, speaking to the account although it is paused."""
        prober = copy.copy(self)
        prober._heeds_pause = False
        return prober

    # Account: amocrm.ru/developers, "Параметры аккаунта", "Воронки", "Поля" ---------------

    def account(self) -> Json:
        """Who this account is, with its time zone."""
        wanted = {"with": "datetime_settings,is_api_filter_enabled"}
        return self._read("account", wanted, _as_it_is)

    def pipelines(self) -> list[Json]:
        """All pipelines with their stages."""
        return self._list("leads/pipelines", "pipelines").rows

    def lead_fields(self, page: int) -> Page[Json]:
        """The custom fields of leads."""
        return self._list("leads/custom_fields", "custom_fields", _page(page))

    # Contacts: "Контакты" -----------------------------------------------------------------

    def search_contacts(self, query: str, page: int) -> Page[Contact]:
        """What the loose full-text search finds: strangers too. Newest first."""
        return self._contacts({"query": query}, page)

    def newest_contacts(self, page: int) -> Page[Contact]:
        """All contacts by descending id, which is the order in which they were made."""
        return self._contacts({}, page)

    def contact(self, contact_id: int) -> Contact | None:
        """One contact with the ids of its leads, ``None`` if there is none."""
        return self._one(f"contacts/{contact_id}", {"with": "leads"}, Contact.parse)

    def update_contact(self, contact_id: int, body: Json) -> None:
        """Change a contact. A multi-value field is replaced as a whole."""
        self._write("PATCH", f"contacts/{contact_id}", body)

    def _contacts(self, params: Mapping[str, Any], page: int) -> Page[Contact]:
        listing = {"with": "leads", "order[id]": "desc", **_page(page)}
        return self._list("contacts", "contacts", {**params, **listing}, Contact.parse)

    # Leads: "Сделки" ----------------------------------------------------------------------

    def newest_leads(self, page: int) -> Page[Lead]:
        """All leads by descending id, with the ids of their contacts."""
        params = {"with": "contacts", "order[id]": "desc", **_page(page)}
        return self._list("leads", "leads", params, Lead.parse)

    def lead(self, lead_id: int) -> Lead | None:
        """One lead with its contacts, ``None`` if there is none."""
        return self._one(f"leads/{lead_id}", {"with": "contacts"}, Lead.parse)

    def create_lead(self, body: Json, *, just_before: Hook) -> Created:
        """Make a lead with its contact in one call ("Комплексное добавление").

        ``just_before`` runs between the checkpoint and the sending, and may raise.
        """
        answer = self._write("POST", "leads/complex", [body], just_before=just_before)
        try:
            return Created.parse(answer.body)
        except UnreadableAnswer:
            raise _unreadable(answer, OutcomeUnknown) from None

    def update_lead(self, lead_id: int, body: Json) -> None:
        """Change a lead."""
        self._write("PATCH", f"leads/{lead_id}", body)

    # Notes: "События и примечания" ---------------------------------------------------------

    def note_texts(self, lead_id: int, page: int) -> Page[str]:
        """The texts of a lead's notes, the newest first."""
        params = {"filter[note_type]": "common", "order[id]": "desc", **_page(page)}
        return self._list(f"leads/{lead_id}/notes", "notes", params, note_text)

    def add_notes(self, lead_id: int, texts: list[str], *, just_before: Hook) -> None:
        """Write notes, all or none of them."""
        rows = [{"note_type": "common", "params": {"text": text}} for text in texts]
        self._write("POST", f"leads/{lead_id}/notes", rows, just_before=just_before)

    # Sending --------------------------------------------------------------------------------

    def _read(self, path: str, params: Mapping[str, Any] | None, parse: Callable[[Json], T]) -> T:
        answer = self._send("GET", path, params=params)
        body = {} if answer.status == 204 else answer.body
        if not isinstance(body, Mapping):
            raise _unreadable(answer, RetryLater)
        try:
            return parse(body)
        except UnreadableAnswer:
            raise _unreadable(answer, RetryLater) from None

    def _one(self, path: str, params: Mapping[str, Any], parse: Callable[[Json], T]) -> T | None:
        """``None`` where there is none. That is a 204; should it be 404 one day, it means the
        same, as long as the API says so and not a server in front of it."""
        try:
            return self._read(path, params, lambda body: parse(body) if body else None)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def _list(
        self,
        path: str,
        kind: str,
        params: Mapping[str, Any] | None = None,
        parse: Callable[[Json], T] = _as_it_is,
    ) -> Page[T]:
        def page(body: Json) -> Page[T]:
            rows = [parse(row) for row in embedded(body, kind)]
            return Page(rows, has_next=has_next(body) or len(rows) >= PAGE_SIZE)

        return self._read(path, params, page)

    def _write(self, method: str, path: str, body: Any, *, just_before: Hook = _nothing) -> Answer:
        """A success without amoCRM's JSON is somebody else's (a portal, a maintenance page)."""
        answer = self._send(method, path, body=body, just_before=just_before)
        if not answer.is_json and not (method == "PATCH" and answer.status == 204):
            raise _unreadable(answer, OutcomeUnknown)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        just_before: Hook = _nothing,
    ) -> Answer:
        place = self._take_place()
        started, sent_at = time.monotonic(), timezone.now()
        just_before()
        if not place.is_fresh:
            # Too long ago to be counted as sent then. Nothing waits after a claim.
            self._calls.wait(LATE_PATIENCE if just_before is _nothing else 0)
        if time.monotonic() - started > LONGEST_STALL:
            raise ComeBack("this process stalled before it could send")
        started = time.monotonic()
        answer = self._exchange(method, path, params, body)
        log.debug(
            "amoCRM %s %s: %s in %d ms, request %s",
            method,
            path,
            answer.status,
            (time.monotonic() - started) * 1000,
            answer.request_id,
        )
        row = answers.meaning_of(answer)
        if row is None:
            return answer
        error = answers.error_of(row, answer, is_write=method != "GET")
        reason = f"{error}{_stage_sent(body)}" if row.kind == "stage" else str(error)
        self._tell_everybody(row, answer, reason, sent_at)
        raise error

    def _take_place(self) -> limiter.Place:
        """Wait for a place under the limit, then pass the checkpoint while it is good.

        A place is good for a moment only. Were it used after a checkpoint that took long (a
        busy database) or before a TLS handshake, requests would arrive closer together than the
        limit allows.
        """
        for _ in range(CHECKPOINTS):
            self._check_pause()
            self._exchange.warm_up()
            place = self._calls.wait(self._patience)
            self._check_pause()  # others may have been told to stop while we waited
            self._checkpoint()
            if place.is_fresh:
                break
        return place

    def _check_pause(self) -> None:
        if self._heeds_pause:
            pause.check(self._account)

    def _tell_everybody(
        self, row: answers.Row, answer: Answer, reason: str, sent_at: datetime
    ) -> None:
        if row.meaning is Meaning.HOLD:
            pause.rate_limited(self._account, answer.retry_after, reason, sent_at=sent_at)
        elif row.meaning is Meaning.PAUSE and self._heeds_pause:
            pause.begin(self._account, row.kind, reason, sent_at=sent_at)
        elif row.meaning is Meaning.PAUSE:
            pause.explain(self._account, row.kind, reason)


@contextmanager
def connect(settings: conf.AmoSettings) -> Iterator[Client]:
    """A client of the configured account; its connections are closed at the end.

    Raises :class:`~amocrm.errors.AccountPaused` when the configured token cannot be one.
    """
    try:
        tokens = LongLivedToken(settings.access_token)
    except ValueError as error:
        raise AccountPaused(f"amoCRM cannot be asked: {error} (AMOCRM_ACCESS_TOKEN)") from None
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc: the token goes to one host only
        session.mount("http://", DeadlineAdapter())
        session.mount("https://", DeadlineAdapter())
        yield Client(
            base_url=settings.base_url,
            account=settings.account,
            tokens=tokens,
            session=session,
            calls=limiter.for_account(settings),
            timeout=settings.timeout,
            patience=settings.lock_ttl / 2,
        )


def _stage_sent(body: Any) -> str:
    """Which pipeline and stage a refused write named, and the settings they come from."""
    sent = body[0] if isinstance(body, list) and body else body
    if not isinstance(sent, Mapping):
        return ""
    stage = sent.get("status_id")
    settings = [name for name, value in conf.current().stages.items() if value == stage]
    named = ", ".join(settings) or "the first stage"
    return f" (pipeline {sent.get('pipeline_id')}, stage {stage}: AMOCRM_PIPELINE_ID, {named})"


def _page(page: int) -> dict[str, Any]:
    return {"limit": PAGE_SIZE, "page": page}


def _unreadable(answer: Answer, kind: type[RetryLater]) -> AmoError:
    error = kind(f"amoCRM's answer cannot be read: {answer.status} {answer.words}")
    return error.seen_in(status=answer.status, request_id=answer.request_id, words=answer.words)
