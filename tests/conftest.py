"""The environment of the tests: their own settings, a real Redis, a real database.

The settings are `config.settings` itself, over an environment that is set here before Django
loads. ``TEST_DATABASE=postgres`` runs the tests on a real PostgreSQL instead of SQLite,
``TEST_REDIS=false`` runs them with ``REDIS_ENABLED=false``.

With ``-n`` several processes (pytest-xdist) share out the tests. Nothing of what is here is shared
between them: each has its own Redis, database, sandbox and ports, started when a test needs them.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import socket
import tempfile
from collections.abc import Generator, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.conf import settings

from tests.servers import PostgresServer, RedisServer, free_port

if TYPE_CHECKING:
    from amocrm.sandbox.server import RunningSandbox

# --- before Django's settings load -------------------------------------------------------------

if settings.configured:
    raise pytest.UsageError("unset DJANGO_SETTINGS_MODULE: the tests prepare their own settings")

_folder = Path(tempfile.mkdtemp(prefix="tests-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
_redis = RedisServer()
atexit.register(_redis.discard)
_postgres: PostgresServer | None = None


def _database_url() -> str:
    global _postgres
    kind = os.environ.get("TEST_DATABASE", "sqlite")
    if kind == "postgres":
        _postgres = PostgresServer()
        atexit.register(_postgres.discard)
        return _postgres.url
    if kind != "sqlite":
        raise pytest.UsageError(f"TEST_DATABASE is {kind!r}: write sqlite or postgres")
    return f"sqlite:///{_folder / 'db.sqlite3'}"


_sandbox_port = free_port()

# Every variable that the service knows, so that nobody's env.env reaches a test.
ENVIRONMENT = {
    "SECRET_KEY": "a secret key for the tests alone, of more than fifty characters",
    "DEBUG": "true",
    "ALLOWED_HOSTS": "testserver",
    "WEB_HOST": "127.0.0.1",
    "PORT": str(free_port()),
    "DATABASE_URL": _database_url(),
    "REDIS_ENABLED": os.environ.get("TEST_REDIS", "true"),
    "REDIS_URL": _redis.url(0),
    "REDIS_LOCKS_URL": _redis.url(1),
    "AMOCRM_BASE_URL": f"http://127.0.0.1:{_sandbox_port}",
    "AMOCRM_ACCESS_TOKEN": "sandbox-token",
    "AMOCRM_PIPELINE_ID": "3177727",
    "AMOCRM_STATUS_PROFTEST": "32392165",
    "AMOCRM_STATUS_EXPRESSCOURSE": "32392168",
    "AMOCRM_STATUS_KASPI": "32392171",
    "AMOCRM_STATUS_CARD": "32392174",
    "AMOCRM_STATUS_MANAGER": "32392177",
    "AMOCRM_MAX_RPS": "1000",
    "AMOCRM_TIMEOUT": "5",
    "LOCK_TTL": "60",
    "LOCK_WAIT": "2",
    "SETTLE_SECONDS": "300",
    "PHONE_REGION": "KZ",
    "PHONE_SEARCH": "digits",
    "IGNORED_IDENTITIES": "",
    "PERSON_MAX_IDENTITIES": "5",
    "IDENTITY_MAX_PEOPLE": "5",
    "BURST": "off",  # what is asked of amoCRM besides would be counted by many tests
    "BURST_MAX_PER_MINUTE": "",
    "LANDING_ALLOWED_ORIGINS": "https://landing.example",
    "LANDING_THROTTLE": "1000000/min",
    "PERSON_THROTTLE": "1000000/min",
    "REPEAT_SECONDS": "0",  # most tests post one body again and again
    "FORM_MIN_SECONDS": "1",
    "TRUSTED_PROXIES": "0",
    "METRICS_TOKEN": "",
    "LOG_FORMAT": "console",
    "LOG_PII": "full",
}
os.environ.update(ENVIRONMENT)
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
# Passwords that are slow to check are Django's to test.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


# The fixture `copy`; a plugin, because it needs the environment that is set above.
pytest_plugins = ("tests.project_copy",)


# --- one process or several --------------------------------------------------------------------

# From the shortest to the longest.
_LONG = (
    "tests/amocrm/api/test_rate_limit.py",
    "tests/config/launcher/",
    "tests/model/",
    "tests/browser/",
    "tests/chaos/",
    "tests/chaos/test_storms.py",
)
# One process for all of each: they share a service or a browser, and a machine has two cores.
_TOGETHER = ("tests/chaos/test_storms.py", "tests/chaos/", "tests/browser/")


def is_one_of_several(config: pytest.Config) -> bool:
    """Whether other processes run other tests of the same run."""
    return hasattr(config, "workerinput")  # pytest-xdist gives it to each of them


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """``-n auto``: one for each core, and two that wait: for the storms, for what time brings."""
    return (os.cpu_count() or 1) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """``--dist loadscope``: each test goes to whoever is free, in the order of the collection."""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    def scope(nodeid: str) -> str:
        return next((place for place in _TOGETHER if nodeid.startswith(place)), nodeid)

    made = LoadScopeScheduling(config, log)
    made._split_scope = scope
    return made


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there by now stays to the end: the collector need not look through it each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """The processes that run the tests for this one prepare their own settings."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Redis where there is none, and put the rest in order.

    What takes longest comes last, after all that fails sooner. Of several processes one begins
    with the storms and waits for them: there it comes first, so that none works alone at the end.
    """

    def length(item: pytest.Item) -> int:
        fitting = (at for at, place in enumerate(_LONG, 1) if item.nodeid.startswith(place))
        return max(fitting, default=0)

    if not settings.REDIS_ENABLED:
        left_out = [item for item in items if item.get_closest_marker("needs_redis")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=length, reverse=is_one_of_several(config))


# --- a skipped test on CI is a failed one ------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true everything a test needs is there, so a skip hides something."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped, though CI=true: {report.longrepr}"
    return report


# --- fixtures ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Start PostgreSQL; keep the SQLite test database in a file: threads and processes share it."""
    if _postgres is not None:
        _postgres.start()
    else:
        database = settings.DATABASES["default"]
        database.setdefault("TEST", {})["NAME"] = _folder / "test.sqlite3"
        database["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"  # no power cut matters


@pytest.fixture(scope="session", autouse=True)
def _what_migrations_wrote_stays() -> Iterator[None]:
    """After a test with transactions of its own, every other table is emptied, but for the first
    two forms.

    Django empties all of them and finds out again what belongs there, which takes longer than
    most of these tests do.
    """
    from django.apps import apps
    from django.db import connection, transaction
    from django.test import TransactionTestCase

    written = {"django_content_type", "auth_permission"}
    add_forms = import_module("leads.migrations.0009_landing_forms").add_forms
    editor = SimpleNamespace(connection=connection)

    def empty_tables(case: TransactionTestCase) -> None:
        tables = set(connection.introspection.django_table_names(only_existing=True)) - written
        with transaction.atomic(), connection.cursor() as cursor:
            for table in tables:  # in any order: references are looked at in the end
                name = connection.ops.quote_name(table)  # of our own models
                cursor.execute(f"DELETE FROM {name}")  # noqa: S608  # quoted just above
            add_forms(apps, editor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


@pytest.fixture(autouse=True)
def redis_server() -> Iterator[RedisServer]:
    """The tests' Redis, running and empty, whatever the last test did to it.

    ``stop()``, ``kill()``, ``pause()``, ``resume()``, ``start()``; ``url(db)`` and ``client(db)``.
    """
    _redis.running_and_empty()
    yield _redis
    _redis.running_and_empty()


@pytest.fixture(autouse=True)
def _nobody_is_told_of_the_last_test(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """What a test's forms rang for is sent before Redis is emptied for the next one."""
    from leads.delivery import bell

    monkeypatch.setattr(bell, "PAUSE", 0)
    yield
    bell.bell.wait()


@pytest.fixture(scope="session", autouse=True)
def _nothing_but_loopback() -> Iterator[None]:
    """Nobody outside is asked for a name: what that takes is not for us to say.

    A client whose answers a test makes up opens a connection ahead nevertheless.
    """
    from config.loopback import is_loopback

    real = socket.getaddrinfo

    def of_this_machine(host: Any, *rest: Any, **more: Any) -> Any:
        if is_loopback(host):
            return real(host, *rest, **more)
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is no name of this machine")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", of_this_machine)
        yield


@pytest.fixture(autouse=True)
def _no_language_of_the_last_test() -> Iterator[None]:
    """A request activates its caller's language for its thread, which here is the tests'."""
    from django.utils import translation

    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _pages_are_whole_again() -> Iterator[None]:
    """A process that met a 5xx asks for smaller pages from then on, also in the next test."""
    from amocrm.api import paging

    yield
    paging.part_size.reset()


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[RunningSandbox]:
    """The sandbox amoCRM of the whole run; tests take `sandbox`."""
    from amocrm.sandbox.server import start

    sandbox = start(port=_sandbox_port, index_lag=0, rps=1000)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(sandbox_process: RunningSandbox) -> RunningSandbox:
    """The sandbox amoCRM at ``AMOCRM_BASE_URL``, as new: ``.url``, ``.control``."""
    from django.core.cache import cache

    sandbox_process.control.reset()
    cache.clear()  # the shape of the account, as the last test left it
    return sandbox_process


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium; without one the test is skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium is installed (on Debian: apt-get install chromium)")


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """What a process of the service needs to share this test's database, Redis and sandbox."""
    from django.db import connection

    database: Any = connection.settings_dict["NAME"]
    url = f"sqlite:///{database}"
    if _postgres is not None:
        url = _postgres.url.removesuffix("postgres") + str(database)
    return {**os.environ, "DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}
