"""What must hold for the files themselves: pinned, portable, complete."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-test.txt")
IGNORED = {".git", ".venv", "var", ".hypothesis", "env.env"}
TEXT = {".py", ".md", ".txt", ".toml", ".sh", ".html", ".css", ".js", ".po", ".example", ".yml", ""}


def texts() -> list[Path]:
    """Every text file that belongs to the project."""
    found = []
    for path in PROJECT.rglob("*"):
        parts = path.relative_to(PROJECT).parts
        hidden = any(part in IGNORED or part.endswith("_cache") for part in parts)
        if not hidden and "__pycache__" not in parts and path.is_file() and path.suffix in TEXT:
            found.append(path)
    return found


def packages(name: str) -> dict[str, str]:
    """The pinned packages of a requirements file, each with its block of hashes."""
    text = (PROJECT / name).read_text(encoding="utf-8")
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)
    return {block.split("==")[0].lower(): block for block in blocks if "==" in block}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    assert packages(name)
    for block in packages(name).values():
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+ ", block)
        assert "--hash=sha256:" in block


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_no_requirements_file_names_an_index(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    assert not re.search(r"index-url|find-links|trusted-host|https?://|file:/|(?m:^-)", text)


def test_what_runs_is_pinned_the_same_for_the_tests() -> None:
    tests = packages("requirements-test.txt")
    for name, block in packages("requirements.txt").items():
        assert tests[name].split()[0] == block.split()[0]


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, wanted in (
        ("requirements.txt", project["dependencies"]),
        ("requirements-test.txt", project["optional-dependencies"]["test"]),
    ):
        for dependency in wanted:
            match = re.match(r"[\w.-]+", dependency)
            assert match
            assert match[0].lower() in packages(name)


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    place = re.compile(r"/(?:home|Users|root|work)/[\w.-]+/")
    wrong = {
        str(path.relative_to(PROJECT))
        for path in texts()
        if place.search(path.read_text(encoding="utf-8"))
    }
    assert not wrong
