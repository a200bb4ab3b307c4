"""Who a lock is about, and how much of that is shown."""

from __future__ import annotations

import pytest

from locks_admin.masking import Masker, pseudonym

P = "amocrm:lead:"


@pytest.mark.parametrize(
    ("name", "whole", "masked", "key"),
    [
        (
            f"{P}test@onai.academy:77771112233",
            "test@onai.academy · +77771112233",
            "te***@onai.academy · +7777***2233",
            f"{P}te***@onai.academy:7777***2233",
        ),
        (f"{P}email:ab@b.kz", "ab@b.kz", "a***@b.kz", f"{P}email:a***@b.kz"),
        (f"{P}phone:77771112233", "+77771112233", "+7777***2233", f"{P}phone:7777***2233"),
        (f"{P}phone:1234567", "+1234567", "+***4567", f"{P}phone:***4567"),
        (
            f"{P}a@b.kz:77272581111;ext=12",
            "a@b.kz · +77272581111;ext=12",
            "a***@b.kz · +7727***1111;ext=12",
            f"{P}a***@b.kz:7727***1111;ext=12",
        ),
        (
            f"{P}phone:77272581111;ext=12",
            "+77272581111;ext=12",
            "+7727***1111;ext=12",
            f"{P}phone:7727***1111;ext=12",
        ),
        (f"{P}somebody", "somebody", "so***", f"{P}so***"),
        (f"{P}phone:not digits", "phone:not digits", "ph***", f"{P}ph***"),
    ],
)
def test_a_person_is_shown_whole_or_masked(name: str, whole: str, masked: str, key: str) -> None:
    assert Masker(full=True).person(name) == whole
    assert Masker(full=False).person(name) == masked
    assert Masker(full=True).name(name) == name
    assert Masker(full=False).name(name) == key


def test_a_pseudonym_tells_two_locks_apart_and_nobody_who_it_is() -> None:
    name = f"{P}test@onai.academy:77771112233"
    assert pseudonym(name) == pseudonym(name)
    assert pseudonym(name) != pseudonym(f"{name}4")
    assert "test" not in pseudonym(name)
