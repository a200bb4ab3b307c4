"""Several calls as one request: what amoCRM takes in bulk, and whose each part of its answer is.

Only the form is known here: each call keeps the answer that it would have got by itself. What a
refusal of one row means for the others is for :mod:`amocrm.upsert.together` to say.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from amocrm.api.paging import PAGE_SIZE
from amocrm.api.responses import ApiResponse
from amocrm.api.schemas import Json, UnreadableAnswer, embedded
from amocrm.api.sender import CREATE, Hook, nothing

# amocrm.ru/developers, "Ограничения" and "Комплексное добавление".
MOST_LEADS = 50
MOST_ROWS = 250


@dataclass(frozen=True, eq=False)
class Call:
    """A request that somebody wants to make: what :meth:`amocrm.api.sender.Sender.send` takes, and
    the checkpoint before it."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: Any = None
    just_before: Hook = nothing
    checkpoint: Hook = nothing


@dataclass(frozen=True)
class Request:
    """One request for several calls."""

    method: str
    path: str
    params: Mapping[str, Any] | None
    body: Any


class Bulk(ABC):
    """A kind of calls that amoCRM takes together. ``most`` rows go into one request."""

    most: int

    def weight(self, call: Call) -> int:
        """How many rows the call is."""
        return 1

    @abstractmethod
    def request(self, calls: Sequence[Call]) -> Request:
        """One request for all of them."""

    @abstractmethod
    def parts(self, response: ApiResponse, calls: Sequence[Call]) -> list[ApiResponse | None]:
        """The part of each call, as if it had asked alone; ``None`` where the answer says nothing
        of it. Raises :class:`~amocrm.api.schemas.UnreadableAnswer`."""

    def is_about(self, row: str, call: Call, calls: Sequence[Call]) -> bool:
        """Whether a refusal that names ``row`` (its ``request_id``, else its number) means it."""
        return row == str(calls.index(call))


def bulk_of(call: Call) -> Bulk | None:
    """How calls like this one are made together; ``None`` where they are not."""
    return next((bulk for fits, bulk in _KINDS if fits(call)), None)


def _id_in(path: str) -> int:
    return int(path.split("/")[1])


def _part(response: ApiResponse, body: Any) -> ApiResponse:
    return replace(response, body=body)


@dataclass(frozen=True)
class _LeadsMade(Bulk):
    """``POST /leads/complex``: "Комплексное добавление". ``request_id`` comes back as a list, in
    any order; an element that names several is one lead for all of them."""

    most: int = MOST_LEADS

    def request(self, calls: Sequence[Call]) -> Request:
        return Request("POST", CREATE, None, [call.body[0] for call in calls])

    def parts(self, response: ApiResponse, calls: Sequence[Call]) -> list[ApiResponse | None]:
        if not isinstance(response.body, list):
            raise UnreadableAnswer("not the answer of leads/complex")
        taken: set[int] = set()
        found: list[ApiResponse | None] = []
        for call in calls:
            place = self._place(call, response.body)
            if place is None:
                found.append(None)
                continue
            # Whoever comes second got a lead that was made for somebody else.
            row = response.body[place]
            found.append(_part(response, [{**row, "merged": True} if place in taken else row]))
            taken.add(place)
        return found

    def _place(self, call: Call, rows: Sequence[Any]) -> int | None:
        wanted = call.body[0]["request_id"]
        for place, row in enumerate(rows):
            named = row.get("request_id") if isinstance(row, Mapping) else None
            if wanted in (map(str, named) if isinstance(named, list) else [str(named)]):
                return place
        return None

    def is_about(self, row: str, call: Call, calls: Sequence[Call]) -> bool:
        return row == call.body[0]["request_id"] or super().is_about(row, call, calls)


@dataclass(frozen=True)
class _NotesMade(Bulk):
    """``POST /leads/notes`` instead of ``POST /leads/{id}/notes``: "События и примечания"."""

    most: int = MOST_ROWS

    def weight(self, call: Call) -> int:
        return len(call.body)

    def request(self, calls: Sequence[Call]) -> Request:
        rows = [
            {**row, "entity_id": _id_in(call.path), "request_id": request_id}
            for number, call in enumerate(calls)
            for row, request_id in zip(call.body, self._ids(call, number), strict=True)
        ]
        return Request("POST", "leads/notes", None, rows)

    def parts(self, response: ApiResponse, calls: Sequence[Call]) -> list[ApiResponse | None]:
        rows = {str(row.get("request_id")): row for row in embedded(_object(response), "notes")}
        found: list[ApiResponse | None] = []
        for number, call in enumerate(calls):
            mine = [rows.get(one) for one in self._ids(call, number)]
            body = {"_embedded": {"notes": mine}}
            found.append(None if None in mine else _part(response, body))
        return found

    def _ids(self, call: Call, number: int) -> list[str]:
        return [f"{number}-{part}" for part in range(len(call.body))]

    def is_about(self, row: str, call: Call, calls: Sequence[Call]) -> bool:
        return row in self._ids(call, calls.index(call))


@dataclass(frozen=True)
class _LeadsChanged(Bulk):
    """``PATCH /leads`` instead of ``PATCH /leads/{id}``: "Редактирование сделок"."""

    most: int = MOST_LEADS

    def request(self, calls: Sequence[Call]) -> Request:
        rows = [
            {**call.body, "id": _id_in(call.path), "request_id": str(number)}
            for number, call in enumerate(calls)
        ]
        return Request("PATCH", "leads", None, rows)

    def parts(self, response: ApiResponse, calls: Sequence[Call]) -> list[ApiResponse | None]:
        rows = {row.get("id"): row for row in embedded(_object(response), "leads")}
        mine = (rows.get(_id_in(call.path)) for call in calls)
        return [None if row is None else _part(response, row) for row in mine]


@dataclass(frozen=True)
class Listed(Bulk):
    """``GET /leads`` or ``/contacts`` with ``filter[id][]`` instead of each by itself, in accounts
    that have filters: "Фильтры". Elsewhere the filter is ignored and the newest of all come back,
    so each row is looked at."""

    kind: str
    most: int = PAGE_SIZE

    def request(self, calls: Sequence[Call]) -> Request:
        ids = [_id_in(call.path) for call in calls]
        params = {**(calls[0].params or {}), "filter[id][]": ids, "limit": PAGE_SIZE}
        return Request("GET", self.kind, params, None)

    def parts(self, response: ApiResponse, calls: Sequence[Call]) -> list[ApiResponse | None]:
        rows = self.rows(response)
        mine = (rows.get(_id_in(call.path)) for call in calls)
        return [None if row is None else _part(response, row) for row in mine]

    def rows(self, response: ApiResponse) -> dict[int, Json]:
        """What came back, by id."""
        body = {} if response.status == 204 else _object(response)
        return {int(row["id"]): row for row in embedded(body, self.kind)}

    def is_ignored(self, response: ApiResponse, calls: Sequence[Call]) -> bool:
        """Whether something came back that nobody asked for."""
        return bool(self.rows(response).keys() - {_id_in(call.path) for call in calls})


def _object(response: ApiResponse) -> Json:
    if not isinstance(response.body, Mapping):
        raise UnreadableAnswer("not an object")
    return response.body


def _is(method: str, path: str) -> Callable[[Call], bool]:
    pattern = re.compile(path)
    return lambda call: call.method == method and pattern.fullmatch(call.path) is not None


_KINDS: tuple[tuple[Callable[[Call], bool], Bulk], ...] = (
    (_is("POST", CREATE), _LeadsMade()),
    (_is("POST", r"leads/\d+/notes"), _NotesMade()),
    (_is("PATCH", r"leads/\d+"), _LeadsChanged()),
    (_is("GET", r"leads/\d+"), Listed("leads")),
    (_is("GET", r"contacts/\d+"), Listed("contacts")),
)
