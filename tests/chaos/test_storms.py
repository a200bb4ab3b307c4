"""Bounded storms: what `make chaos` does, with fixed seeds and for a minute.

They run beside other tests and are asked for their tables when these are over.
"""

from __future__ import annotations

import pytest

from tests.chaos.conftest import Storms


@pytest.mark.parametrize("name", ["with Redis", "without Redis", "within amoCRM's limits"])
def test_a_storm_doubles_nothing_and_loses_nobody(storms: Storms, name: str) -> None:
    status, said = storms.result(name)

    assert status == 0, said
    for count in ("duplicates", "lost", "notes doubled"):
        assert f"{count} 0" in " ".join(said.split())
