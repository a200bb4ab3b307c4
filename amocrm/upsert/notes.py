"""The note of a submission: written exactly once, whatever happens to the answer.

amoCRM has no idempotency key, so each part of a note ends with a marker that carries the whole
submission id. When nobody knows whether a note was written, its markers are looked up first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from django.utils import timezone

from amocrm.api import paging
from amocrm.api.client import Client
from amocrm.contract import LeadRequest
from amocrm.errors import AmoError, Forbidden, GoAlone, Refused, StillSettling
from amocrm.log_context import get_logger
from amocrm.text.printable import readable
from amocrm.upsert import note_remarks
from amocrm.upsert.context import UpsertContext
from amocrm.upsert.note_text import plain, split
from amocrm.upsert.settling import CLOCKS_DIFFER_BY, next_look

logger = get_logger(__name__)

LONGEST_PART = 3500  # characters; amoCRM names no limit, longer texts were refused in the wild
SMALL_PART = 1000
MOST_PAGES = 10
MOST_NEW_PAGES = 40


def write_note(context: UpsertContext, lead_id: int) -> None:
    """Write what is missing of the submission's note.

    Raises :class:`~amocrm.errors.StillSettling` while an earlier try may still be carried out
    and :class:`~amocrm.errors.LeadGone` when there is no such lead any more. A refused note is
    made easier to take, then given up: it never fails a delivery whose lead exists.
    """
    missing = _parts(context, lead_id)
    sent_at = context.progress.note_sent_at
    if sent_at:
        if timezone.now() - sent_at < context.settings.settle:
            # No lock is waited for: nothing that another delivery does could end this sooner.
            raise StillSettling(
                "an earlier note may still arrive",
                retry_after=next_look(sent_at, context.settings.settle),
            )
        written = _written(context, lead_id, sent_at)
        missing = {marker: text for marker, text in missing.items() if marker not in written}
    if not missing:
        return
    for texts in _versions(missing):
        try:
            _send(context, lead_id, texts)
        except Forbidden:
            raise  # no shorter one would be allowed
        except Refused as error:
            logger.warning("📝 amoCRM refused the note: %s", error)
        else:
            return
    logger.error("📝 The lead ID %s has no note: amoCRM refused it in every form", lead_id)


def _written(context: UpsertContext, lead_id: int, sent_at: datetime) -> str:
    """What the notes of the lead say; together with others those written since ``sent_at``."""
    if context.together is None:
        notes = partial(context.crm.note_texts, lead_id)
        return "\n".join(paging.each(notes, most_pages=MOST_PAGES, what="notes"))
    # Whose notes were sent in one request looks for them in one.
    since = sent_at.replace(second=0, microsecond=0) - CLOCKS_DIFFER_BY
    newest = context.together.once(("notes", since), partial(_newest, since=since))
    return "\n".join(newest.get(lead_id, ()))


def _newest(crm: Client, *, since: datetime) -> dict[int, list[str]]:
    """The texts of all notes made since then, by the lead. Raises
    :class:`~amocrm.errors.GoAlone` where there are too many."""
    found: dict[int, list[str]] = {}
    for number in range(1, MOST_NEW_PAGES + 1):
        page = crm.newest_notes(number)
        for note in page.rows:
            found.setdefault(note.lead_id, []).append(note.text)
        if not page.has_next or all(note.created_at < since for note in page.rows):
            return found
    raise GoAlone("too many notes have been written since")


def _versions(missing: Mapping[str, str]) -> Iterator[list[str]]:
    """The note as it is meant; in smaller parts without unusual characters; a mere pointer.

    A marker comes once in each: all texts of a version are written by one call, or none.
    """
    yield [f"{text}\n{marker}" for marker, text in missing.items()]
    smaller = {marker: split(plain(text), SMALL_PART) for marker, text in missing.items()}
    yield [
        text
        for marker, pieces in smaller.items()
        for text in (*pieces[:-1], f"{pieces[-1]}\n{marker}")
    ]
    yield [f"Текст заявки не принят amoCRM, он хранится у нас.\n{marker}" for marker in missing]


def _send(context: UpsertContext, lead_id: int, texts: list[str]) -> None:
    before = context.progress.note_sent_at
    try:
        context.crm.add_notes(
            lead_id, texts, just_before=lambda: context.progress.note_sending(timezone.now())
        )
    except AmoError as error:
        # Back to what is still unknown of an earlier try, whose parts were looked up.
        if error.not_done and context.progress.note_sent_at != before:
            context.progress.note_sending(before)
        raise


def _parts(context: UpsertContext, lead_id: int) -> dict[str, str]:
    """Marker → text. The parts depend on the request alone, so that every try has the same;
    what may change has parts of its own."""
    request = context.request
    pieces = split(note_text(request, context.schema().timezone), LONGEST_PART)
    parts = {
        marker(request.reference, str(number)): _headed(request, piece, number, len(pieces))
        for number, piece in enumerate(pieces, start=1)
    }
    for part, text in note_remarks.remarks(context, lead_id):
        parts[marker(request.reference, part)] = text
    return parts


def note_text(request: LeadRequest, zone: ZoneInfo) -> str:
    """The note as a salesperson reads it, without its markers."""
    lines = (
        request.note_title,
        f"Получено: {_local(request.submitted_at, zone)}",
        *request.note_lines,
    )
    return readable("\n".join(lines))


def _headed(request: LeadRequest, piece: str, number: int, count: int) -> str:
    if number == 1:
        return piece if count == 1 else f"{piece.rstrip()}\n(часть 1 из {count})"
    title = readable(request.note_title)
    return f"{title}: продолжение (часть {number} из {count})\n{piece.rstrip()}"


def marker(reference: str, part: str) -> str:
    """What a part of a note ends with and is looked up by."""
    return f"[заявка {reference} · {part}]"


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%d.%m.%Y %H:%M} ({zone.key})"
