"""The note of a submission: complete, readable, and there exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from django.core.cache import cache
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from amocrm import conf
from amocrm.errors import AccountPaused, LeadGone, OutcomeUnknown, RateLimited, StillSettling
from amocrm.models import AccountState, DuplicateLead, Person
from amocrm.sandbox.server import RunningSandbox
from amocrm.text.printable import readable
from amocrm.upsert import notes
from amocrm.upsert.note_text import plain, split
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import Remembered, request_of

NOTES = r"/api/v4/leads/\d+/notes"


@pytest.fixture(autouse=True)
def _nothing_is_cached() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def texts(sandbox: RunningSandbox) -> list[str]:
    return [note["text"] for note in sandbox.control.state()["notes"]]


def settled(progress: Remembered) -> None:
    """Let the time pass in which an earlier call might still be carried out."""
    assert progress.note_sent_at is not None
    progress.note_sent_at = timezone.now() - timedelta(seconds=301)


def without_hold() -> None:
    AccountState.objects.update(backoff_until=None)


# --- how it reads ------------------------------------------------------------------------------


def test_a_note_has_its_title_the_local_time_and_all_lines() -> None:
    request = request_of(
        note_title="Заявка с сайта: профтест",
        submitted_at=datetime(2026, 11, 23, 20, 30, tzinfo=UTC),
        note_lines=("Имя: Анна", "", "1. Вопрос", "   — Ответ"),
    )
    assert notes.note_text(request, ZoneInfo("Asia/Almaty")).splitlines() == [
        "Заявка с сайта: профтест",
        "Получено: 24.11.2026 01:30 (Asia/Almaty)",
        "Имя: Анна",
        "",
        "1. Вопрос",
        "   — Ответ",
    ]


def test_odd_characters_do_not_reach_the_note() -> None:
    odd = "a\x00b\x1bc\u202ed\ud800e\ufefff\r\ng\u2028h\x85i\tj 👨‍👩‍👧 ё"
    assert readable(odd) == "a b c d e f\ng\nh\ni\tj 👨‍👩‍👧 ё"


def test_plain_text_has_letters_digits_and_usual_signs_only() -> None:
    assert plain("Ответ №1: «да» — 5₸, ok…\n👍\u200d") == "Ответ №1: «да» — 5₸, ok…\n??"


@given(st.text(max_size=400), st.integers(min_value=8, max_value=60))
def test_splitting_loses_nothing_and_keeps_the_limit(text: str, longest: int) -> None:
    parts = split(text, longest)
    assert "".join(parts) == text
    assert all(len(part) <= longest for part in parts)
    assert all(parts) or parts == [""]


def test_splitting_is_at_line_ends_then_between_words() -> None:
    assert split("one two\nthree four", 10) == ["one two\n", "three four"]
    assert split("one two three four", 10) == ["one two ", "three four"]
    assert split("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


def test_what_people_see_as_one_character_stays_together() -> None:
    for cluster in (
        "e\u0301",
        "👨\u200d👩\u200d👧",
        "👍\U0001f3fd",
        "❤\ufe0f",
        "🇰🇿",
        "1\ufe0f\u20e3",
    ):
        for before in range(5, 12):
            parts = split("x" * before + cluster + "y" * 10, 10)
            assert [cluster in part for part in parts].count(True) == 1, parts


def test_flags_beside_flags_are_not_taken_for_others() -> None:
    assert split("🇰🇿" * 9, 7) == ["🇰🇿" * 3] * 3


def test_what_looks_like_one_endless_character_is_split_all_the_same() -> None:
    assert split("x" + "\u0301" * 24, 10) == ["x" + "\u0301" * 9, "\u0301" * 10, "\u0301" * 5]


# --- exactly once ------------------------------------------------------------------------------

everything = pytest.mark.django_db(transaction=True)


@everything
def test_a_long_note_is_split_and_nothing_is_cut(sandbox: RunningSandbox) -> None:
    lines = tuple(f"{number}. Вопрос {'слово ' * 40}— ответ{number}." for number in range(1, 101))
    request = request_of(note_lines=lines)
    upsert_lead(request, Remembered())
    written = texts(sandbox)
    assert len(written) > 5
    for number, text in enumerate(written, start=1):
        assert len(text) < notes.LONGEST_PART + 200
        assert text.endswith(notes.marker(request.reference, str(number)))
        assert f"(часть {number} из {len(written)})" in text
    whole = "\n".join(written)
    assert [line for line in lines if line not in whole] == []


@everything
def test_every_submission_has_a_note_of_its_own(sandbox: RunningSandbox) -> None:
    requests = [request_of() for _ in range(3)]
    for request in requests:
        upsert_lead(request, Remembered())
    written = texts(sandbox)
    assert len(written) == 3
    for request in requests:
        assert sum(request.reference in text for text in written) == 1


@everything
def test_a_note_whose_answer_was_lost_is_not_written_twice(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("lose_answer", method="POST", path=NOTES)
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    with pytest.raises(StillSettling):
        upsert_lead(request, progress)
    settled(progress)
    assert upsert_lead(request, progress).action == "created"
    assert len(texts(sandbox)) == 1


@everything
def test_a_note_that_was_surely_not_written_is_written_at_once(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", method="POST", path=NOTES, status=429, body="<html>")
    request, progress = request_of(), Remembered()
    with pytest.raises(RateLimited):
        upsert_lead(request, progress)
    assert progress.note_sent_at is None
    without_hold()
    upsert_lead(request, progress)
    assert len(texts(sandbox)) == 1


@everything
def test_a_note_that_got_lost_on_its_way_is_written_after_the_look(
    sandbox: RunningSandbox,
) -> None:
    sandbox.control.fault("reset", method="POST", path=NOTES)
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    settled(progress)
    upsert_lead(request, progress)
    assert len(texts(sandbox)) == 1


@everything
def test_a_refused_second_part_does_not_make_us_forget_that_the_first_is_unknown(
    sandbox: RunningSandbox,
) -> None:
    """The note arrived, its answer did not; then another lead has to be named, and that call
    is refused with 429. The first part must still be looked up before anything is written."""
    sandbox.control.fault("lose_answer", method="POST", path=NOTES)
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    DuplicateLead.objects.create(
        person=Person.objects.get(), lead_id=999, state=DuplicateLead.State.ACTIVE
    )
    sandbox.control.fault("answer", method="POST", path=NOTES, status=429, body="<html>")
    settled(progress)
    with pytest.raises(RateLimited):
        upsert_lead(request, progress)
    without_hold()
    upsert_lead(request, progress)
    written = texts(sandbox)
    assert [notes.marker(request.reference, "1") in text for text in written] == [True, False]
    assert "/leads/detail/999" in written[1]


@everything
def test_a_marker_among_many_notes_is_found(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("lose_answer", method="POST", path=NOTES)
    request, progress = request_of(), Remembered()
    with pytest.raises(OutcomeUnknown):
        upsert_lead(request, progress)
    assert progress.lead_id is not None
    for _ in range(2):
        requests.post(
            f"{sandbox.url}/api/v4/leads/{progress.lead_id}/notes",
            json=[{"note_type": "common", "params": {"text": "manager's"}}] * 200,
            headers={"Authorization": f"Bearer {conf.current().access_token}"},
            timeout=10,
        ).raise_for_status()
    settled(progress)
    upsert_lead(request, progress)
    assert sum(request.reference in text for text in texts(sandbox)) == 1


# --- refused -----------------------------------------------------------------------------------


def refuse(sandbox: RunningSandbox, times: int) -> None:
    body: dict[str, Any] = {
        "validation-errors": [{"errors": [{"path": "params.text", "detail": "Too long"}]}]
    }
    sandbox.control.fault("answer", method="POST", path=NOTES, status=400, body=body, times=times)


@everything
def test_a_refused_note_is_sent_in_smaller_and_plainer_parts(sandbox: RunningSandbox) -> None:
    refuse(sandbox, 1)
    request = request_of(note_lines=("Ответ 👍 " * 300,))
    upsert_lead(request, Remembered())
    written = texts(sandbox)
    assert len(written) > 1
    assert "👍" not in "".join(written)
    assert "".join(written).count("Ответ") == 300
    assert sum(notes.marker(request.reference, "1") in text for text in written) == 1


@everything
def test_a_note_too_long_for_amocrm_is_split_further(sandbox: RunningSandbox) -> None:
    sandbox.control.config(note_limit=1500)
    request = request_of(note_lines=tuple(f"строка {number}" for number in range(300)))
    upsert_lead(request, Remembered())
    whole = "\n".join(texts(sandbox))
    assert all(f"строка {number}" in whole for number in range(300))


@everything
def test_a_note_refused_twice_becomes_a_pointer(sandbox: RunningSandbox) -> None:
    refuse(sandbox, 2)
    request = request_of()
    upsert_lead(request, Remembered())
    (text,) = texts(sandbox)
    assert text.endswith(notes.marker(request.reference, "1"))


@everything
def test_a_note_refused_for_good_does_not_fail_the_delivery(
    sandbox: RunningSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(sandbox, -1)
    result = upsert_lead(request_of(), Remembered())
    assert result.action == "created"
    assert texts(sandbox) == []
    assert f"ID {result.lead_id} has no note" in caplog.text


@everything
def test_a_note_on_a_lead_that_is_gone_sends_the_delivery_back(
    sandbox: RunningSandbox,
) -> None:
    body = {"title": "Not Found", "status": 404}
    sandbox.control.fault("answer", method="POST", path=NOTES, status=404, body=body)
    with pytest.raises(LeadGone):
        upsert_lead(request_of(), Remembered())


@everything
def test_a_pause_is_no_refusal(sandbox: RunningSandbox) -> None:
    sandbox.control.fault("answer", method="POST", path=NOTES, status=402, body={"detail": "pay"})
    progress = Remembered()
    with pytest.raises(AccountPaused):
        upsert_lead(request_of(), progress)
    assert progress.note_sent_at is None
    assert progress.lead_id is not None
