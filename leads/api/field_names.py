"""What forms call our fields, in Russian and English. Case, blanks and signs do not count."""

from __future__ import annotations

import re

_NOT_A_LETTER = re.compile(r"[\W_]+")

NAMES: dict[str, tuple[str, ...]] = {
    "name": (
        "name", "full name", "your name", "first name", "contact name", "client name",
        "имя", "ваше имя", "фио", "ваше фио", "фамилия имя", "имя фамилия", "имя и фамилия",
        "фамилия имя отчество", "как вас зовут", "как к вам обращаться", "контактное лицо", "fio",
    ),
    "email": (
        "email", "e-mail", "mail", "your email", "your mail", "email address", "work email",
        "почта", "ваша почта", "эл почта", "электронная почта", "адрес электронной почты",
        "email адрес", "ваш email", "имейл", "емейл", "мейл",
    ),
    "phone": (
        "phone", "tel", "telephone", "phone number", "your phone", "your tel", "mobile",
        "mobile phone", "contact phone", "work phone number", "whatsapp", "whatsapp number",
        "телефон", "ваш телефон", "номер телефона", "ваш номер телефона",
        "контактный телефон", "мобильный телефон", "мобильный", "телефон whatsapp",
        "номер whatsapp", "ватсап", "тел",
    ),
    "paymentMethod": ("payment method", "способ оплаты"),
}  # fmt: skip
#: What stands beside a first name and belongs to it.
SURNAMES = ("last name", "surname", "family name", "фамилия", "ваша фамилия")
#: Marks of advertising that a form sends among its fields.
MARKS = ("gclid", "fbclid", "yclid", "ttclid")


def plain(name: str) -> str:
    """``Your-Name``, ``your_name`` and ``YOUR NAME:`` are ``yourname``."""
    return _NOT_A_LETTER.sub("", name.casefold().replace("ё", "е"))


_FIELDS = {plain(spelling): field for field, spelled in NAMES.items() for spelling in spelled}
_SURNAMES = {plain(spelling) for spelling in SURNAMES}


def field_called(name: str) -> str | None:
    """Which of our fields ``name`` means, if any. Builders number them: ``tel-917``, ``Tel_2``."""
    return _FIELDS.get(plain(name).rstrip("0123456789"))


def is_surname(name: str) -> bool:
    """Whether ``name`` means the family name alone."""
    return plain(name) in _SURNAMES


def is_mark(name: str) -> bool:
    """Whether ``name`` is a mark of advertising."""
    return name.strip().lower().startswith("utm_") or name.strip().lower() in MARKS
