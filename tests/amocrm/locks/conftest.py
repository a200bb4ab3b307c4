"""Locks against the tests' own Redis."""

from __future__ import annotations

import pytest
import redis

from amocrm.locks import history
from tests.servers import RedisServer

NAME = "amocrm:lead:test@onai.academy:77771112233"


@pytest.fixture(autouse=True)
def history_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that an earlier test's Redis did not answer."""
    history.breaker.close()


@pytest.fixture
def locks_db(redis_server: RedisServer) -> redis.Redis:
    """The database that holds the locks."""
    return redis_server.client(1)
