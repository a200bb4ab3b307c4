"""What the pages say, in Russian and English."""

from __future__ import annotations

from typing import Literal

Language = Literal["ru", "en"]

_RU = {
    "title": "Песочница amoCRM",
    "hint": "Всё хранится в памяти и исчезает при остановке.",
    "people": "Людей",
    "active": "Активных сделок",
    "twice": "Людей с двумя активными сделками",
    "must_be_0": "должно быть 0",
    "empty": "Пусто. Отправьте форму на лендинге — сделка появится здесь.",
    "notes": "Примечаний",
    "no_contact": "без контакта",
    "duplicate": "вторая активная сделка",
    "more": "ещё",
    "back": "← Все сделки",
    "lead": "Сделка",
    "stage": "Этап",
    "pipeline": "Воронка",
    "created": "Создана",
    "updated": "Изменена",
    "contacts": "Контакты",
    "main": "основной",
    "tags": "Теги",
    "fields": "Поля",
    "none": "нет",
    "deleted": "удалена",
    "no_lead": "Такой сделки нет.",
}
_EN = {
    "title": "amoCRM sandbox",
    "hint": "Everything is kept in memory and gone when it stops.",
    "people": "People",
    "active": "Active leads",
    "twice": "People with two active leads",
    "must_be_0": "must be 0",
    "empty": "Empty. Send the landing form and the lead will appear here.",
    "notes": "Notes",
    "no_contact": "no contact",
    "duplicate": "second active lead",
    "more": "more",
    "back": "← All leads",
    "lead": "Lead",
    "stage": "Stage",
    "pipeline": "Pipeline",
    "created": "Created",
    "updated": "Updated",
    "contacts": "Contacts",
    "main": "main",
    "tags": "Tags",
    "fields": "Fields",
    "none": "none",
    "deleted": "deleted",
    "no_lead": "There is no such lead.",
}


def texts_for(accept_language: str) -> tuple[Language, dict[str, str]]:
    """The language the browser prefers of the two, Russian if it names neither."""
    best: tuple[float, Language] = (0.0, "ru")
    for part in accept_language.split(","):
        tag, _, parameters = part.strip().partition(";")
        name = tag.strip().lower().partition("-")[0]
        try:
            quality = float(parameters.partition("=")[2]) if parameters else 1.0
        except ValueError:
            quality = 0.0
        if name in ("ru", "en") and quality > best[0]:
            best = (quality, "ru" if name == "ru" else "en")
    return best[1], _RU if best[1] == "ru" else _EN
