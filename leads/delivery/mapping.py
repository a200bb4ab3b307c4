"""A submission in amoCRM's terms. What salespeople read is in Russian, whoever filled the form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone, translation

from amocrm.contract import LeadRequest
from leads import conf
from leads.forms.texts import lead_name
from leads.models import LandingForm, Submission
from leads.remarks import Code, sentence

_PAYMENTS = {"kaspi": "Kaspi", "card": "банковская карта", "manager": "через менеджера"}


def lead_request(submission: Submission) -> LeadRequest:
    """What :func:`amocrm.upsert.protocol.upsert_lead` is asked to do for ``submission``."""
    form = submission.form
    name = submission.name or "Имя не указано"
    return LeadRequest(
        reference=str(submission.pk),
        name=name,
        named=submission.named,
        lead_name=lead_name(form.lead_name, form=form.title, name=name),
        stage=_stage(submission),
        tags=tuple(tag for tag in (*form.list_of_tags(), submission.campaign_slug) if tag),
        responsible_user=form.responsible_user,
        submitted_at=submission.created_at,
        note_title=f"Заявка с сайта: {_inside(form.title)}",
        note_lines=tuple(_note_lines(submission)),
        utm=submission.utm,
        lost_writes=submission.lost_writes(),
    )


def _stage(submission: Submission) -> int | None:
    """The stage of the payment method where one was chosen, else the form's, from the settings if
    they name one; ``None``: the pipeline's first one."""
    stages = conf.current().stages
    if submission.payment_method:
        return stages[submission.payment_method]
    return stages.get(submission.form_id) or submission.form.stage


def _inside(title: str) -> str:
    """As it stands inside a sentence: «профтест», but «IELTS»."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _note_lines(submission: Submission) -> Iterator[str]:
    payment, phone, email = submission.payment_method, submission.phone, submission.email
    kinds = {key.kind for key in submission.named}
    if phone and "phone" not in kinds:
        phone = f"{phone} (такого номера нет, по нему никого не искали)"
    if email and "email" not in kinds:
        email = f"{email} (такого адреса нет, по нему никого не искали)"
    yield from _labelled(
        ("Имя", submission.name),
        ("Телефон", phone),
        ("E-mail", email),
        ("Способ оплаты", _PAYMENTS.get(payment, payment)),
        ("Источник", submission.source),
        ("Кампания", submission.campaign_slug),
    )
    yield from _proftest_lines(submission.answers.get("proftestAnswers") or [])
    yield from _answer_lines(submission.answers.get("answers"), submission.form)
    if submission.utm:
        yield ""
        yield "Метки рекламы:"
        yield from _labelled(*submission.utm.items())
    yield from _consent_lines(submission.consent)
    yield from _remark_lines(submission.remarks)


def _consent_lines(consent: dict[str, str]) -> Iterator[str]:
    if not consent:
        return
    text = consent.get("text")
    parts = (f"«{text}»" if text else "дано", _moment(consent.get("at", "")), consent.get("page"))
    yield ""
    yield f"Согласие: {', '.join(part for part in parts if part)}"


def _moment(text: str) -> str:
    """A moment in ISO 8601 as people here read it, anything else as it is."""
    try:
        moment = datetime.fromisoformat(text)
        return f"{timezone.localtime(moment):%d.%m.%Y %H:%M}" if moment.tzinfo else text
    except (ValueError, OverflowError):  # none, or one that no clock of ours can show
        return text


def _remark_lines(remarks: Iterable[dict[str, str]]) -> Iterator[str]:
    # What nobody was looked for by is said beside it.
    told = [one for one in remarks if one["code"] != Code.UNUSABLE]
    if told:
        yield ""
        yield "Замечания к заявке:"
        with translation.override("ru"):
            yield from [sentence(one) for one in told]


def _labelled(*pairs: tuple[str, str]) -> Iterator[str]:
    return (f"{label}: {value}" for label, value in pairs if value)


def _proftest_lines(answers: Iterable[dict[str, Any]]) -> Iterator[str]:
    for position, item in enumerate(answers, start=1):
        if position == 1:
            yield ""
            yield "Ответы профтеста:"
        number = item.get("questionNumber") or position
        yield f"{number}. {item.get('question') or 'Вопрос без текста'}"
        yield f"   — {_spoken(item.get('answer'))}"


def _answer_lines(answers: Any, form: LandingForm) -> Iterator[str]:
    if not answers:
        return
    yield ""
    yield "Ответы:"
    if isinstance(answers, dict):
        labels = dict(form.fields.values_list("name", "label"))
        for position, (question, answer) in enumerate(answers.items(), start=1):
            yield f"{position}. {labels.get(question, question)}: {_spoken(answer)}"
    else:
        for position, answer in enumerate(answers, start=1):
            yield f"{position}. {_spoken(answer)}"


def _spoken(value: Any) -> str:
    """JSON as a person would say it."""
    if value in (None, "", [], {}):
        return "без ответа"
    match value:
        case bool():
            return "да" if value else "нет"
        case list():
            return ", ".join(_spoken(item) for item in value)
        case dict():
            return ", ".join(f"{key}: {_spoken(item)}" for key, item in value.items())
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)
