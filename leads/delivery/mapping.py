"""A submission in amoCRM's terms. What salespeople read is in Russian, whoever filled the form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.utils import translation

from amocrm.contract import LeadRequest
from leads import conf
from leads.models import Submission
from leads.remarks import Code, sentence

_FORMS = {Submission.Form.PROFTEST: "Профтест", Submission.Form.EXPRESS: "Экспресс-курс"}
_PAYMENTS = {"kaspi": "Kaspi", "card": "банковская карта", "manager": "через менеджера"}


def lead_request(submission: Submission) -> LeadRequest:
    """What :func:`amocrm.upsert.protocol.upsert_lead` is asked to do for ``submission``."""
    form = _FORMS[Submission.Form(submission.form)]
    name = submission.name or "Имя не указано"
    return LeadRequest(
        reference=str(submission.pk),
        name=name,
        named=submission.named,
        lead_name=f"{form}: {name}",
        stage=_stage(submission),
        tags=tuple(tag for tag in (form, submission.campaign_slug) if tag),
        submitted_at=submission.created_at,
        note_title=f"Заявка с сайта: {form.lower()}",
        note_lines=tuple(_note_lines(submission)),
        utm=submission.utm,
        lost_writes=submission.lost_writes(),
    )


def _stage(submission: Submission) -> int | None:
    """The stage of the payment method where one was chosen, else the form's; ``None``: the
    pipeline's first one."""
    return conf.current().stages[submission.payment_method or submission.form]


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
    yield from _answer_lines(submission.answers.get("answers"))
    if submission.utm:
        yield ""
        yield "Метки рекламы:"
        yield from _labelled(*submission.utm.items())
    yield from _remark_lines(submission.remarks)


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


def _answer_lines(answers: Any) -> Iterator[str]:
    if not answers:
        return
    yield ""
    yield "Ответы:"
    if isinstance(answers, dict):
        for position, (question, answer) in enumerate(answers.items(), start=1):
            yield f"{position}. {question}: {_spoken(answer)}"
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
