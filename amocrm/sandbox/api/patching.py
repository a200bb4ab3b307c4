"""What contacts and leads share when they are changed.

Nobody documents what a PATCH of a single entity answers; both forms were seen, so the
sandbox can give either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from amocrm.sandbox.account.model import Entity, EntityType, Json
from amocrm.sandbox.api.drafts import Draft
from amocrm.sandbox.api.request import Call
from amocrm.sandbox.api.responses import Answer, Refusal, as_json, not_found
from amocrm.sandbox.api.serializers import links
from amocrm.sandbox.api.validation import Problems, batch_of, request_id_of, single_of

Kind = TypeVar("Kind", bound=Entity)
Form = Literal["object", "embedded"]


def patch(
    call: Call,
    *,
    find: Callable[[int], Kind | None],
    read: Callable[[Kind, Json, str, Problems], Draft],
) -> list[tuple[Kind, Draft]]:
    """The entities a PATCH is about and what is wanted of each; nothing is written yet.

    The id comes from the path for a single object, from each item of a batch. Raises
    :class:`Refusal`: 404 for an unknown id in the path, 400 for one in a batch.
    """
    single = bool(call.ids)
    items = [{**single_of(call), "id": call.ids[0]}] if single else batch_of(call)
    problems = Problems()
    found: list[tuple[Kind, Draft]] = []
    for place, item in enumerate(items):
        request_id = request_id_of(item, place)
        entity_id = item.get("id")
        entity = find(entity_id) if isinstance(entity_id, int) else None
        if entity is not None:
            found.append((entity, read(entity, item, request_id, problems)))
        elif single:
            raise Refusal(not_found())
        else:
            problems.no_choice(request_id, "id")
    problems.refuse()
    return found


def patched(call: Call, name: EntityType, rows: Sequence[Json], *, documented: Form) -> Answer:
    """The answer to a PATCH; ``documented`` is the form of a single one by default."""
    chosen = call.settings.single_patch_answer
    form = documented if chosen == "documented" else chosen
    if call.ids and form == "object":
        return as_json(200, rows[0])
    return collection(call, name, rows)


def collection(call: Call, name: str, rows: Sequence[Json], *, path: str = "") -> Answer:
    """``rows`` under ``_embedded``, as answers to POST and PATCH have it."""
    shown = in_answer_order(call, rows)
    return as_json(200, {"_links": links(call.base, path or name), "_embedded": {name: shown}})


def in_answer_order(call: Call, rows: Sequence[Json]) -> list[Json]:
    """The rows of an answer to a batch; amoCRM does not promise the order they were sent in."""
    return list(reversed(rows)) if call.settings.shuffle_answers else list(rows)
