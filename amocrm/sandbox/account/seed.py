"""The fixed part of the account: ids that ``env.env.example`` can name.

The shape of a pipeline and its system stages: amocrm.ru/developers → Воронки и этапы.
The statistics fields: amocrm.ru/developers → Поля и группы полей.
"""

from __future__ import annotations

from amocrm.sandbox.account.model import LOST, UNSORTED, WON, Field, Pipeline, Stage

ACCOUNT_ID = 28805383
ACCOUNT_NAME = "Sandbox academy"
SUBDOMAIN = "sandbox"
CURRENT_USER_ID = 504141
SALESPERSON_ID = 504144
USER_IDS = {CURRENT_USER_ID, SALESPERSON_ID}
ACCOUNT_CREATED_AT = 1585758065

MAIN_PIPELINE_ID = 3177727
SECOND_PIPELINE_ID = 3177730

FIRST_CONTACT_ID = 19663157
FIRST_LEAD_ID = 15198335
FIRST_NOTE_ID = 42709325
FIRST_TAG_ID = 263807

_PHONE_ENUMS = ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER")
_EMAIL_ENUMS = ("WORK", "PRIV", "OTHER")
_TRACKING = (
    "UTM_CONTENT",
    "UTM_MEDIUM",
    "UTM_CAMPAIGN",
    "UTM_SOURCE",
    "UTM_TERM",
    "UTM_REFERRER",
    "ROISTAT",
    "REFERRER",
    "FROM",
    "FBCLID",
    "GCLID",
    "YCLID",
)


def _closing_stages() -> list[Stage]:
    return [
        Stage(WON, "Успешно реализовано", 10000, "#CCFF66", is_editable=False),
        Stage(LOST, "Закрыто и не реализовано", 11000, "#D5D8DB", is_editable=False),
    ]


def _unsorted(stage_id: int) -> Stage:
    return Stage(stage_id, "Неразобранное", 10, "#c1c1c1", type=UNSORTED, is_editable=False)


def pipelines() -> list[Pipeline]:
    """Fresh copies of both pipelines."""
    return [
        Pipeline(
            MAIN_PIPELINE_ID,
            "Продажи",
            1,
            is_main=True,
            stages=[
                _unsorted(32392156),
                Stage(32392159, "Новая заявка", 20, "#99ccff"),
                Stage(32392165, "Профтест пройден", 30, "#ffff99"),
                Stage(32392168, "Экспресс-курс", 40, "#ffcc66"),
                Stage(32392171, "Kaspi", 50, "#ffcccc"),
                Stage(32392174, "Карта", 60, "#c1e0ff"),
                Stage(32392177, "Менеджер", 70, "#e6e8ea"),
                *_closing_stages(),
            ],
        ),
        Pipeline(
            SECOND_PIPELINE_ID,
            "Партнёры",
            2,
            is_main=False,
            stages=[
                _unsorted(32392256),
                Stage(32392259, "Первичный контакт", 20, "#99ccff"),
                Stage(32392262, "Переговоры", 30, "#ffff99"),
                *_closing_stages(),
            ],
        ),
    ]


def fields() -> list[Field]:
    """Fresh copies of the custom fields of contacts and leads."""
    phone = {code: 193226 + 2 * i for i, code in enumerate(_PHONE_ENUMS)}
    email = {code: 193200 + 2 * i for i, code in enumerate(_EMAIL_ENUMS)}
    found = [
        Field(66190, "Должность", "POSITION", "text", 2, "contacts"),
        Field(66192, "Телефон", "PHONE", "multitext", 4, "contacts", phone),
        Field(66186, "Email", "EMAIL", "multitext", 6, "contacts", email),
    ]
    for i, code in enumerate(_TRACKING):
        name = code.lower()
        found.append(
            Field(
                1278001 + 2 * i,
                name,
                code,
                "tracking_data",
                500 + i,
                "leads",
                group_id="statistic",
            )
        )
    return found
