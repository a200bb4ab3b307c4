"""Pages, order, the two filters there are, and how late a list is.

``limit`` over 250 is clipped, an unknown order or filter is ignored, nothing found is 204.
amocrm.ru/developers → Ограничения; Фильтрация.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

from amocrm.sandbox.account.model import Json
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Answer, as_json, nothing

MAX_LIMIT = 250
DEFAULT_LIMIT = 50

_ORDER = re.compile(r"order\[(\w+)\]\Z")
_FILTER_ID = re.compile(r"filter\[id\](\[\d*\])?\Z")
_FILTER_UPDATED = "filter[updated_at][{}]"

Row = TypeVar("Row")


def page_of(
    call: Call,
    rows: Sequence[Row],
    *,
    name: str,
    path: str,
    printed: Callable[[Row], Json],
    totals: bool = False,
) -> Answer:
    """The asked-for page of ``rows`` under ``_embedded.<name>``, or 204 if it is empty.

    ``totals`` adds ``_total_items`` and ``_page_count``, which only some lists have.
    """
    limit = min(call.number("limit", DEFAULT_LIMIT), MAX_LIMIT)
    page = call.number("page", 1)
    shown = rows[(page - 1) * limit : page * limit]
    if not shown:
        return nothing()
    pages = -(-len(rows) // limit)

    def link(number: int) -> Json:
        kept = [
            (key, value)
            for key, values in call.request.query.items()
            for value in values
            if key not in ("limit", "page")
        ]
        query = urlencode([*kept, ("limit", limit), ("page", number)])
        return {"href": f"{call.base}/api/v4/{path}?{query}"}

    links = {"self": link(page)}
    if page < pages:
        links["next"] = link(page + 1)
        if totals:
            links["last"] = link(pages)
    if page > 1:
        links["first"] = link(1)
        links["prev"] = link(page - 1)
    body: Json = {"_total_items": len(rows)} if totals else {}
    body["_page"] = page
    if totals:
        body["_page_count"] = pages
    body["_links"] = links
    body["_embedded"] = {name: [printed(row) for row in shown]}
    return as_json(200, body)


def ordered(call: Call, rows: list[Any], *, by: Sequence[str]) -> list[Any]:
    """``rows`` by ``order[…]``; without one, or by something not in ``by``, by id."""
    rows = sorted(rows, key=attrgetter("id"))
    for key, values in call.request.query.items():
        found = _ORDER.match(key)
        if found and found[1] in by:
            rows.sort(key=attrgetter(found[1]), reverse=values[-1] == "desc")
            break
    return rows


def listed(call: Call, rows: list[Any]) -> list[Any]:
    """``rows`` less those that were written within the last ``list_lag`` seconds."""
    lag = call.settings.list_lag
    now = call.account.clock.seconds()
    return [row for row in rows if row.written_at + lag <= now] if lag else rows


def filtered(call: Call, rows: list[Any]) -> list[Any]:
    """``filter[id]`` and ``filter[updated_at]`` where the account has the API filter.

    ``from`` and ``to`` are epoch seconds, both inclusive. Every other filter is ignored.
    """
    if not call.settings.is_api_filter_enabled:
        return rows
    ids = [
        value
        for key, values in call.request.query.items()
        if _FILTER_ID.match(key)
        for value in values
    ]
    wanted = {int(one) for one in ids if one.isdecimal()}
    if ids:
        rows = [row for row in rows if row.id in wanted]
    since = call.number(_FILTER_UPDATED.format("from"), 0)
    until = call.number(_FILTER_UPDATED.format("to"), sys.maxsize)
    return [row for row in rows if since <= row.updated_at <= until]
