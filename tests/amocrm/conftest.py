"""What the tests of amoCRM's client share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses


@pytest.fixture
def amocrm() -> Iterator[responses.RequestsMock]:
    """amoCRM with made-up answers."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
