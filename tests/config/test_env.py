"""Reading the environment: what is taken, what is refused, and in which words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.env import ConfigError, Environment, read_env_file


def reader(**variables: str) -> Environment:
    """An environment of these variables alone."""
    return Environment(variables)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("TRUE", True), ("1", True), ("on", True), (" yes ", True)]
    + [("false", False), ("False", False), ("0", False), ("off", False), ("no", False)],
)
def test_a_switch_takes_the_usual_words(text: str, value: bool) -> None:
    assert reader(REDIS_ENABLED=text).flag("REDIS_ENABLED", default=not value) is value


@pytest.mark.parametrize(
    "read",
    [
        lambda env: env.flag("NAME", default=True),
        lambda env: env.integer("NAME", 5, minimum=1, maximum=10),
        lambda env: env.number("NAME", 5, minimum=1, maximum=10),
        lambda env: env.choice("NAME", ["a", "b"], "a"),
        lambda env: env.optional_integer("NAME"),
    ],
)
@pytest.mark.parametrize("text", ["ture", "5 # five", "0x5", "٥", "1e1", "nan", "-5", "11.5.1"])
def test_what_is_not_a_value_is_refused_by_name_and_value(
    read: Callable[[Environment], Any], text: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        read(reader(NAME=text))
    sentence = str(refusal.value)
    assert sentence.startswith(f"NAME is {text!r}: write ")
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("text", ["0", "11", "99999999999999999999999"])
def test_a_number_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="from 1 to 10"):
        reader(NAME=text).integer("NAME", 5, minimum=1, maximum=10)


def test_an_unset_variable_is_its_default() -> None:
    env = reader()
    assert env.flag("NAME", default=True) is True
    assert env.integer("NAME", 5, minimum=1, maximum=10) == 5
    assert env.number("NAME", 0.5, minimum=0, maximum=1) == 0.5
    assert env.optional_integer("NAME") is None
    assert env.items("NAME") == ()
    assert env.secret("NAME") == ""


def test_a_blank_variable_is_refused_where_blank_means_nothing() -> None:
    with pytest.raises(ConfigError, match="^NAME is empty: "):
        reader(NAME=" ").flag("NAME", default=True)
    with pytest.raises(ConfigError, match="^NAME is empty: "):
        reader(NAME="").text("NAME")


def test_a_blank_variable_is_nothing_where_nothing_is_a_value() -> None:
    assert reader(NAME=" ").optional_integer("NAME") is None
    assert reader(NAME="").items("NAME") == ()


def test_a_required_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigError, match="^NAME is not set: "):
        reader().text("NAME")


def test_items_are_trimmed_and_a_stray_comma_is_refused() -> None:
    assert reader(NAME=" a , b ").items("NAME") == ("a", "b")
    with pytest.raises(ConfigError, match="one comma"):
        reader(NAME="a,,b").items("NAME")


def test_a_secret_is_returned_untouched() -> None:
    assert reader(NAME=" x ").secret("NAME") == " x "


def test_the_password_of_a_url_is_not_shown() -> None:
    def refuse(text: str) -> str:
        raise ValueError("write it otherwise")

    with pytest.raises(ConfigError) as refusal:
        reader(REDIS_URL="redis://:hunter2@h/0").parsed("REDIS_URL", refuse)
    assert "hunter2" not in str(refusal.value)
    assert "REDIS_URL" in str(refusal.value)


def test_the_process_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a folder" / "env.env"
    file.parent.mkdir()
    file.write_text("ONLY_FILE=file\nBOTH=file\n", encoding="utf-8")
    monkeypatch.setenv("BOTH", "process")
    env = Environment.load(file)
    assert env.text("ONLY_FILE") == "file"
    assert env.text("BOTH") == "process"
    assert "ONLY_FILE" not in os.environ


def test_a_file_may_hold_comments_quotes_exports_and_dollars(tmp_path: Path) -> None:
    file = tmp_path / "env.env"
    file.write_text(
        "\ufeff# comment\n\nexport A=1\nB='two words'\nC=\"x\"\nD=$A\n  E=5\r\nF=a#b=c\n",
        encoding="utf-8",
    )
    assert read_env_file(file) == {
        "A": "1",
        "B": "two words",
        "C": "x",
        "D": "$A",
        "E": "5",
        "F": "a#b=c",
    }


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / "env.env") == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"A=1\nREDIS_ENABLED = true\n", "env.env, line 2: write NAME=value"),
        (b"just words\n", "line 1"),
        (b"A=\xff\n", "not UTF-8"),
        (b"A=\x00\n", "NUL"),
    ],
)
def test_a_file_that_cannot_be_read_right_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "env.env").write_bytes(content)
    with pytest.raises(ConfigError, match=words) as refusal:
        read_env_file(tmp_path / "env.env")
    assert "\n" not in str(refusal.value)


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "env.env").mkdir()
    with pytest.raises(ConfigError, match="is a directory"):
        read_env_file(tmp_path / "env.env")


def test_a_file_without_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_env_file(tmp_path / "env.env")
