"""What amoCRM is asked for, and what a salesperson reads."""

from __future__ import annotations

import pytest
from django.utils import translation
from pytest_django import Settings

from leads.delivery.mapping import lead_request
from leads.models import Submission
from leads.remarks import Code, Remarks

pytestmark = pytest.mark.django_db


def submission(**values: object) -> Submission:
    return Submission(
        **{
            "form_id": "express",
            "name": "Аида",
            "email": "Test@onai.academy",
            "phone": "8 (777) 111-22-33",
        }
        | values
    )


def test_the_person_goes_as_named_with_the_whole_reference() -> None:
    row = submission(campaign_slug="autumn", utm={"utm_source": "google"})
    request = lead_request(row)
    assert request.reference == str(row.pk)
    assert request.name == "Аида"
    assert request.named == {("email", "test@onai.academy"), ("phone", "+77771112233")}
    assert request.lead_name == "Экспресс-курс: Аида"
    assert request.tags == ("Экспресс-курс", "autumn")
    assert request.utm == {"utm_source": "google"}
    assert request.submitted_at == row.created_at


@pytest.mark.parametrize(
    ("form", "payment", "setting"),
    [
        ("proftest", "", "AMOCRM_STATUS_PROFTEST"),
        ("express", "", "AMOCRM_STATUS_EXPRESSCOURSE"),
        ("express", "kaspi", "AMOCRM_STATUS_KASPI"),
        ("express", "card", "AMOCRM_STATUS_CARD"),
        ("express", "manager", "AMOCRM_STATUS_MANAGER"),
    ],
)
def test_each_form_and_payment_has_its_stage(
    settings: Settings, form: str, payment: str, setting: str
) -> None:
    row = submission(form_id=form, payment_method=payment)
    assert lead_request(row).stage == getattr(settings, setting)


@pytest.mark.parametrize(
    ("payment", "setting"),
    [("card", "AMOCRM_STATUS_CARD"), ("", "AMOCRM_STATUS_EXPRESSCOURSE")],
)
def test_an_empty_stage_is_the_pipelines_first_one(
    settings: Settings, payment: str, setting: str
) -> None:
    setattr(settings, setting, None)
    assert lead_request(submission(payment_method=payment)).stage is None


def test_the_note_of_an_express_form_reads_well() -> None:
    request = lead_request(
        submission(
            payment_method="kaspi",
            source="landing",
            campaign_slug="autumn",
            utm={"utm_source": "google", "gclid": "abc"},
        )
    )
    assert request.note_title == "Заявка с сайта: экспресс-курс"
    assert request.note_lines == (
        "Имя: Аида",
        "Телефон: 8 (777) 111-22-33",
        "E-mail: Test@onai.academy",
        "Способ оплаты: Kaspi",
        "Источник: landing",
        "Кампания: autumn",
        "",
        "Метки рекламы:",
        "utm_source: google",
        "gclid: abc",
    )


def test_the_note_of_a_proftest_has_its_answers_numbered() -> None:
    request = lead_request(
        submission(
            form_id="proftest",
            email="",
            answers={
                "proftestAnswers": [
                    {"questionNumber": 1, "question": "Что ближе?", "answer": ["Числа", 2]},
                    {"question": "Опыт есть?", "answer": False},
                    {"questionNumber": 7, "answer": None},
                ],
                "answers": {"Город": "Алматы", "Возраст": 30.0, "Дети": {"сын": 5}},
            },
        )
    )
    assert request.tags == ("Профтест",)
    assert request.note_lines == (
        "Имя: Аида",
        "Телефон: 8 (777) 111-22-33",
        "",
        "Ответы профтеста:",
        "1. Что ближе?",
        "   — Числа, 2",
        "2. Опыт есть?",
        "   — нет",
        "7. Вопрос без текста",
        "   — без ответа",
        "",
        "Ответы:",
        "1. Город: Алматы",
        "2. Возраст: 30",
        "3. Дети: сын: 5",
    )


def test_a_list_of_answers_is_numbered() -> None:
    lines = lead_request(submission(answers={"answers": ["a", ["b", "c"], []]})).note_lines
    assert lines[-3:] == ("1. a", "2. b, c", "3. без ответа")


def test_a_number_that_was_not_used_is_in_the_note_with_a_word_on_it() -> None:
    lines = lead_request(submission(phone="0000000000")).note_lines
    assert "Телефон: 0000000000 (такого номера нет, по нему никого не искали)" in lines


def test_a_number_that_was_used_stands_there_alone() -> None:
    lines = lead_request(submission(phone="8 (777) 111-22-33")).note_lines
    assert "Телефон: 8 (777) 111-22-33" in lines


def test_an_address_that_was_not_used_is_in_the_note_with_a_word_on_it() -> None:
    lines = lead_request(submission(email="anna at x")).note_lines
    assert "E-mail: anna at x (такого адреса нет, по нему никого не искали)" in lines


def test_a_person_without_a_name_has_one_in_the_crm() -> None:
    request = lead_request(submission(name=""))
    assert (request.name, request.lead_name) == (
        "Имя не указано",
        "Экспресс-курс: Имя не указано",
    )
    assert not [line for line in request.note_lines if line.startswith("Имя")]


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_was_not_read_as_it_was_sent_is_told_in_russian(language: str) -> None:
    remarks = Remarks()
    remarks.add("phone", Code.UNUSABLE, "@dana")  # said beside the phone
    remarks.add("utmParams.utm_source", Code.SEVERAL, "google")
    with translation.override(language):
        lines = lead_request(submission(phone="@dana", remarks=remarks.kept)).note_lines
    assert lines[-3:] == (
        "",
        "Замечания к заявке:",
        "UTM-метки utm_source: несколько значений, взято одно, остальные: google",
    )


def test_what_is_said_beside_the_phone_alone_is_not_said_again() -> None:
    told = [{"field": "phone", "code": "unusable", "value": "@dana"}]
    lines = lead_request(submission(phone="@dana", remarks=told)).note_lines
    assert "Замечания к заявке:" not in lines


@pytest.mark.django_db
def test_only_writes_that_met_no_answer_count_against_the_body() -> None:
    """An hour in which amoCRM answers nothing at all must not cost a lead its UTM fields."""
    row = Submission.objects.create(form_id="express", name="Анна", email="a@b.kz", attempts=5)
    for outcome in ("retry", "retry", "retry", "unknown", "come_back", "unknown"):
        row.delivery_attempts.create(started_at=row.created_at, duration_ms=1, outcome=outcome)

    assert lead_request(row).lost_writes == 2
