"""Reading what a client sent: everything is checked before anything is written.

One bad field rejects the whole request, but for ``partial_400``. The form of the refusal:
amocrm.ru/developers → Справочник ошибок и ответов API.
"""

from __future__ import annotations

from typing import Any

from amocrm.sandbox.account.model import EntityType, Field, Json, Tag, Value
from amocrm.sandbox.account.store import Account
from amocrm.sandbox.api.listing import MAX_LIMIT
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Refusal, bad_body, invalid, too_many

NO_CHOICE = "The value you selected is not a valid choice."
BLANK = "This value should not be blank."


class Problems:
    """What is wrong with a request so far, by ``request_id``."""

    def __init__(self) -> None:
        self._found: dict[str, list[Json]] = {}

    def add(self, request_id: str, code: str, path: str, detail: str) -> None:
        """Note one problem; ``path`` is relative to the entity."""
        row = {"code": code, "path": path, "detail": detail}
        self._found.setdefault(request_id, []).append(row)

    def no_choice(self, request_id: str, path: str) -> None:
        """A value that is not among those there are."""
        self.add(request_id, "NotSupportedChoice", path, NO_CHOICE)

    def refuse(self) -> None:
        """Raise :class:`Refusal` if anything was noted."""
        if self._found:
            raise Refusal(invalid(self._found), named=self._found)


def body_of(call: Call) -> Any:
    """The request's JSON. Raises :class:`Refusal` (400) if it is none."""
    try:
        return call.request.json()
    except ValueError:
        raise Refusal(bad_body()) from None


def batch_of(call: Call, *, limit: int = MAX_LIMIT) -> list[Json]:
    """The request as a list of objects.

    Raises :class:`Refusal`: 400 if it is no such list or empty, 422 over ``limit``.
    """
    body = body_of(call)
    if not isinstance(body, list) or not body or not all(isinstance(one, dict) for one in body):
        raise Refusal(bad_body())
    if len(body) > limit:
        raise Refusal(too_many(limit))
    return body


def single_of(call: Call) -> Json:
    """The request as one object. Raises :class:`Refusal` (400) if it is none."""
    body = body_of(call)
    if not isinstance(body, dict):
        raise Refusal(bad_body())
    return body


def request_id_of(item: Json, place: int) -> str:
    """The client's ``request_id``, else the place in the list."""
    given = item.get("request_id")
    return str(place) if given is None else str(given)


def whole_number(item: Json, key: str, request_id: str, problems: Problems) -> int | None:
    """An optional whole number of the entity; anything else is a problem."""
    value = item.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    problems.add(request_id, "InvalidType", key, "This value should be of type int.")
    return None


def text(item: Json, key: str, request_id: str, problems: Problems) -> str | None:
    """An optional string of the entity; anything else is a problem."""
    value = item.get(key)
    if value is None or isinstance(value, str):
        return value
    problems.add(request_id, "InvalidType", key, "This value should be of type string.")
    return None


def read_values(
    account: Account,
    entity_type: EntityType,
    item: Json,
    request_id: str,
    problems: Problems,
    prefix: str = "",
) -> dict[int, list[Value]]:
    """``custom_fields_values`` of an entity by field id; an empty list removes the field."""
    rows = item.get("custom_fields_values")
    if rows is None:
        return {}
    root = f"{prefix}custom_fields_values"
    if not isinstance(rows, list):
        problems.add(request_id, "InvalidType", root, "This value should be of type array.")
        return {}
    found: dict[int, list[Value]] = {}
    for place, row in enumerate(rows):
        path = f"{root}.{place}"
        if not isinstance(row, dict):
            problems.add(request_id, "InvalidType", path, "This value should be of type array.")
            continue
        name = "field_id" if row.get("field_id") is not None else "field_code"
        key = row.get(name)
        definition = account.field(entity_type, key) if isinstance(key, int | str) else None
        if definition is None:
            problems.no_choice(request_id, f"{path}.{name}")
            continue
        found[definition.id] = _values(definition, row, path, request_id, problems)
    return found


def _values(
    definition: Field, row: Json, path: str, request_id: str, problems: Problems
) -> list[Value]:
    given = row.get("values")
    if given is None:
        return []
    if not isinstance(given, list):
        problems.add(
            request_id, "InvalidType", f"{path}.values", "This value should be of type array."
        )
        return []
    found: list[Value] = []
    for place, one in enumerate(given):
        here = f"{path}.values.{place}"
        value = one.get("value") if isinstance(one, dict) else None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            problems.add(request_id, "NotBlank", f"{here}.value", BLANK)
            continue
        code, enum_id = _enum(definition, one, here, request_id, problems)
        if str(value) != "":
            found.append(Value(str(value), code, enum_id))
    return found


def _enum(
    definition: Field, one: Json, path: str, request_id: str, problems: Problems
) -> tuple[str | None, int | None]:
    if not definition.enums:
        return None, None
    if one.get("enum_id") is not None:
        for code, enum_id in definition.enums.items():
            if enum_id == one["enum_id"]:
                return code, enum_id
        problems.no_choice(request_id, f"{path}.enum_id")
        return None, None
    code = one.get("enum_code") or one.get("enum") or next(iter(definition.enums))
    if code not in definition.enums:
        problems.no_choice(request_id, f"{path}.enum_code")
        return None, None
    return code, definition.enums[code]


def read_tags(
    account: Account,
    entity_type: EntityType,
    rows: Any,
    path: str,
    request_id: str,
    problems: Problems,
) -> list[Tag]:
    """Tags named by ``id`` or ``name``; an unknown name makes a tag, an unknown id is a problem."""
    found: list[Tag] = []
    if not isinstance(rows, list):
        problems.add(request_id, "InvalidType", path, "This value should be of type array.")
        return found
    for place, row in enumerate(rows):
        given = row if isinstance(row, dict) else {}
        tag: Tag | None = None
        if isinstance(given.get("id"), int):
            tag = account.tag_by_id(entity_type, given["id"])
            if tag is None:
                problems.no_choice(request_id, f"{path}.{place}.id")
        elif isinstance(given.get("name"), str) and given["name"].strip():
            tag = account.tag(entity_type, name=given["name"].strip())
        else:
            problems.add(request_id, "NotBlank", f"{path}.{place}.name", BLANK)
        if tag is not None:
            found.append(tag)
    return found
