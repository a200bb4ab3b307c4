"""What the locks of people are called."""

from __future__ import annotations

import pytest

from amocrm.identity import identities
from amocrm.locks.names import is_ours, key_of, lock_name


@pytest.mark.parametrize(
    ("emails", "phones", "name"),
    [
        (["a@b.kz"], ["87771112233"], "amocrm:lead:a@b.kz:77771112233"),
        (["a@b.kz"], [], "amocrm:lead:email:a@b.kz"),
        ([], ["87771112233"], "amocrm:lead:phone:77771112233"),
        ([], ["+7 727 258 11 11 доб. 12"], "amocrm:lead:phone:77272581111;ext=12"),
        (["b@b.kz", "a@b.kz"], [], "amocrm:lead:email:a@b.kz"),
    ],
)
def test_locks_are_named_as_documented(emails: list[str], phones: list[str], name: str) -> None:
    assert lock_name(identities(emails=emails, phones=phones, region="KZ")) == name
    assert is_ours(name)
    assert key_of(name) == f"lock:{name}"
