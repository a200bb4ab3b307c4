"""What operators and salespeople read of a form that was not sent as it should be."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import translation

from leads.remarks import FIELDS, MOST, Code, Remarks, sentence
from tests.leads.conftest import Create


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_remark_is_a_sentence_in_both_languages(code: Code, language: str) -> None:
    with translation.override(language):
        told = sentence({"field": "phone", "code": code, "value": "100 % of <it>"})
    assert told.startswith({"ru": "Телефон: ", "en": "Phone: "}[language])
    assert ("100 % of <it>" in told) == (code not in (Code.MISSING, Code.UNUSABLE))
    assert translation.gettext("remarks") == "замечания"


def test_a_part_of_a_field_is_named() -> None:
    told = sentence({"field": "utmParams.utm_source", "code": "cut", "value": "2000"})
    assert told == "UTM-метки utm_source: слишком длинно, сокращено, символов осталось: 2000"


def test_what_a_later_version_wrote_is_shown_all_the_same() -> None:
    assert sentence({"field": "new", "code": "odd", "value": "x"}) == "New: odd: x"


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_its_russian_name(field: str) -> None:
    with translation.override("en"):
        english = str(FIELDS[field])
    if field not in ("email", "utmParams"):
        assert str(FIELDS[field]) != english


def test_one_remark_is_kept_once_and_not_too_many() -> None:
    remarks = Remarks()
    for number in (1, 1, *range(100)):
        remarks.add("name", Code.CUT, number)
    assert [one["value"] for one in remarks.kept] == ["1", "0", *map(str, range(2, MOST))]


@pytest.mark.django_db
def test_the_admin_shows_them_escaped(client: Client, create: Create, staff: User) -> None:
    row = create(remarks=[{"field": "name", "code": "several", "value": "<b>Анна</b>"}] * 2)
    client.force_login(staff)
    page = client.get(reverse("admin:leads_submission_change", args=[row.pk])).content.decode()
    line = "Имя: несколько значений, взято одно, остальные: &lt;b&gt;Анна&lt;/b&gt;"
    assert f"{line}<br>{line}" in page
