"""What a visitor agreed to, when and where is kept, and stands in the note."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from leads.delivery.mapping import lead_request
from leads.models import Submission
from tests.leads.forms import SUBMIT_URL

pytestmark = pytest.mark.django_db
PERSON = {"name": "Анна", "phone": "+77011230104"}
TEXT = "Согласен на обработку персональных данных"
WHOLE = {"text": TEXT, "at": "2026-11-25T07:00:00Z", "page": "https://school.example/ielts"}


@pytest.mark.parametrize(
    ("sent", "kept", "line"),
    [
        (WHOLE, WHOLE, f"Согласие: «{TEXT}», 25.11.2026 12:00, https://school.example/ielts"),
        (WHOLE | {"more": 1}, WHOLE, None),
        (TEXT, {"text": TEXT}, f"Согласие: «{TEXT}»"),
        ("on", {"text": ""}, "Согласие: дано"),
        (True, {"text": ""}, "Согласие: дано"),
        ({"at": "вчера"}, {"at": "вчера"}, "Согласие: дано, вчера"),
        ({"at": "2026-11-25 07:00"}, None, "Согласие: дано, 2026-11-25 07:00"),
        (
            {"at": "9999-12-31T23:59:59+00:00"},
            None,
            "Согласие: дано, 9999-12-31T23:59:59+00:00",
        ),
        (
            {"at": "0001-01-01T00:00:00+10:00"},
            None,
            "Согласие: дано, 0001-01-01T00:00:00+10:00",
        ),
        (False, {}, ""),
        ("", {}, ""),
        (None, {}, ""),
        ("0", {}, ""),
        ({"text": False}, {}, ""),
        ([], {}, ""),
    ],
)
def test_consent_is_kept_as_it_was_given(
    api: APIClient, sent: Any, kept: dict[str, str] | None, line: str | None
) -> None:
    assert api.post(SUBMIT_URL, PERSON | {"consent": sent}, format="json").status_code == 202
    row = Submission.objects.get()
    assert kept is None or row.consent == kept
    said = [one for one in lead_request(row).note_lines if one.startswith("Согласие")]
    assert line is None or said == [line] * bool(line)


def test_a_plain_form_sends_the_text_that_was_ticked(api: APIClient) -> None:
    body = {"name": "Анна", "phone": "+77011230104", "consent": TEXT}
    assert api.post(SUBMIT_URL, body, format="multipart").status_code == 202
    assert Submission.objects.get().consent == {"text": TEXT}
