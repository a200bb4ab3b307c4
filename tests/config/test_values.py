"""What particular variables may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import values
from config.loopback import is_loopback


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://sub.amocrm.ru", "https://sub.amocrm.ru"),
        ("https://sub.kommo.com/", "https://sub.kommo.com"),
        ("http://127.0.0.1:3001", "http://127.0.0.1:3001"),
        ("http://localhost:3001", "http://localhost:3001"),
        ("http://[::1]:3001", "http://[::1]:3001"),
    ],
)
def test_an_account_is_its_address_alone(text: str, value: str) -> None:
    assert values.account_url(text) == value


@pytest.mark.parametrize(
    "text",
    ["http://sub.amocrm.ru", "sub.amocrm.ru", "https://", "https://sub.amocrm.ru/api/v4"]
    + ["https://user@sub.amocrm.ru", "https://sub.amocrm.ru?x=1", "https://a b.ru", "ftp://a.ru"]
    + ["https://sub.amocrm.ru:99999", "https://sub.amocrm.ru#", "https://-a.ru", "https://[::1"],
)
def test_another_account_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write|begin"):
        values.account_url(text)


@pytest.mark.parametrize(
    "text", ["redis://127.0.0.1:6379/0", "redis://h", "rediss://:p%40ss@h:1/2", "redis://u:p@h/"]
)
def test_a_redis_url_names_one_database(text: str) -> None:
    assert values.redis_url(text) == text


@pytest.mark.parametrize(
    "text", ["127.0.0.1:6379", "http://h/0", "redis:///0", "redis://h/x", "redis://h:0/1"]
)
def test_another_redis_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="redis://host:port/number"):
        values.redis_url(text)


def test_an_origin_is_what_browsers_send() -> None:
    assert values.origin("https://Onai.Academy") == "https://onai.academy"
    assert values.origin("http://localhost:8000") == "http://localhost:8000"


@pytest.mark.parametrize(
    "text", ["onai.academy", "https://onai.academy/", "*", "https://*", "https://a.b/c", "null"]
)
def test_another_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="https://host"):
        values.origin(text)


def test_a_host_is_a_name_without_scheme_or_port() -> None:
    assert [values.host_pattern(h) for h in ("*", ".A.kz", "10.0.0.1")] == [
        "*",
        ".a.kz",
        "10.0.0.1",
    ]
    for text in ("https://a.kz", "a.kz:80", "a.kz/", "a b"):
        with pytest.raises(ValueError, match="host names"):
            values.host_pattern(text)


def test_a_region_is_one_that_has_phone_numbers() -> None:
    assert values.phone_region("kz") == "KZ"
    for text in ("KZT", "XX", "7", "Kazakhstan"):
        with pytest.raises(ValueError, match="two-letter"):
            values.phone_region(text)


def test_a_rate_is_a_number_and_a_unit() -> None:
    assert values.throttle("60/min") == "60/min"
    for text in ("60", "60/minute", "0/min", "-1/min", "60/ min", "sixty/min", "60/fortnight"):
        with pytest.raises(ValueError, match="60/min"):
            values.throttle(text)


def test_a_relative_sqlite_path_is_the_projects(tmp_path: Path) -> None:
    project = tmp_path / "a project"
    project.mkdir()
    config = values.database("sqlite:///var/db.sqlite3", project)
    assert config["NAME"] == project / "var" / "db.sqlite3"
    assert config["NAME"].parent.is_dir()


def test_an_absolute_sqlite_path_stays_and_its_folder_must_exist(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    place = tmp_path / "with space" / "db.sqlite3"
    with pytest.raises(ValueError, match="create the folder"):
        values.database(f"sqlite:///{place}", project)
    place.parent.mkdir()
    assert values.database(f"sqlite:///{place}", project)["NAME"] == place


def test_postgres_keeps_its_connections_and_looks_after_them(tmp_path: Path) -> None:
    config = values.database("postgres://u:p%40@h:5433/leads?sslmode=require", tmp_path)
    assert config["ENGINE"] == "django.db.backends.postgresql"
    assert (config["NAME"], config["PASSWORD"], config["PORT"]) == ("leads", "p@", 5433)
    assert config["CONN_HEALTH_CHECKS"] is True
    assert config["OPTIONS"]["sslmode"] == "require"


@pytest.mark.parametrize(
    "text", ["mysql://h/x", "postgres://h", "sqlite://:memory:", "sqlite://db", "sqlite:///", "db"]
)
def test_another_database_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="write|name a file"):
        values.database(text, tmp_path)


def test_only_this_machine_is_loopback() -> None:
    assert all(is_loopback(h) for h in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(h) for h in ("10.0.0.1", "localhost.evil.com", "a", None))
