"""The READMEs agree with the code, with each other, and with the files that they link to."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

PROJECT = Path(__file__).resolve().parent.parent
ENGLISH, RUSSIAN = "README.md", "README.ru.md"
READMES = (ENGLISH, RUSSIAN)
DOCUMENTS = (*READMES, "CHANGELOG.md", *(f"docs/{path.name}" for path in PROJECT.glob("docs/*.md")))
OUR_APPS = {"amocrm", "leads", "locks_admin"}
INTERNAL_TARGETS = {"help", "venv", "venv-test"}

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SHELL_COMMENT = re.compile(r"(?:^|\s+)#[^\n\"']*$", re.MULTILINE)


def text_of(name: str) -> str:
    """A document's whole text."""
    return (PROJECT / name).read_text(encoding="utf-8")


def prose_of(name: str) -> str:
    """A document without its code blocks."""
    return _FENCE.sub("", text_of(name))


def first_cells(name: str, beginning: str) -> list[list[str]]:
    """The cells of every table row whose first cell is code that begins so."""
    rows = [line for line in text_of(name).splitlines() if line.startswith(f"| `{beginning}")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split(" | ")] for row in rows]


def settings_read() -> dict[str, set[str]]:
    """Each variable that the settings read, with every constant in the call that reads it."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(text_of("config/settings.py"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id == "env" and node.func.attr != "load":
            constants = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)]
            name, *others = map(_as_written, constants)
            found[name] = set(others)
    return found


def _as_written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def example_variables() -> set[str]:
    """The variables of ``env.env.example``."""
    return set(re.findall(r"(?m)^([A-Z_]+)=", text_of("env.env.example")))


def configuration(name: str) -> dict[str, str]:
    """The configuration table: variable → default, ``—`` for none."""
    rows = [cells for cells in first_cells(name, "") if re.fullmatch(r"[A-Z_]{4,}", cells[0])]
    return {cells[0]: cells[1] for cells in rows}


def targets() -> set[str]:
    """The Makefile's targets for people."""
    declared = re.search(r"(?m)^\.PHONY: (.*)$", text_of("Makefile"))
    assert declared
    return set(declared[1].split()) - INTERNAL_TARGETS


@pytest.mark.parametrize("name", READMES)
def test_the_configuration_table_has_the_variables_of_the_example(name: str) -> None:
    assert set(configuration(name)) == example_variables() == set(settings_read())


@pytest.mark.parametrize("name", READMES)
def test_the_configuration_table_tells_the_defaults_of_the_settings(name: str) -> None:
    read = settings_read()
    for variable, default in configuration(name).items():
        if default != "—":
            assert default in read[variable], variable


@pytest.mark.parametrize("name", READMES)
def test_the_command_table_has_every_command_of_ours(name: str) -> None:
    listed = {cells[0].split()[1] for cells in first_cells(name, "manage.py ")}
    assert {command for command, app in get_commands().items() if app in OUR_APPS} <= listed


@pytest.mark.parametrize("name", READMES)
def test_the_command_table_has_every_target_of_the_makefile(name: str) -> None:
    assert {cells[0].split()[1] for cells in first_cells(name, "make ")} == targets()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", text_of(name)))
    assert named <= set(get_commands())
    assert set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", text_of(name))) <= targets()


@pytest.mark.parametrize("name", READMES)
def test_every_option_of_a_command_that_is_named_exists(name: str) -> None:
    for cells in first_cells(name, "manage.py "):
        command = cells[0].split()[1]
        app = get_commands()[command]
        assert isinstance(app, str)
        parser = load_command_class(app, command).create_parser("manage.py", command)
        known = {option for action in parser._actions for option in action.option_strings}
        assert set(re.findall(r"`(--[a-z-]+)", " | ".join(cells[1:]))) <= known, command


@pytest.mark.parametrize("name", READMES)
def test_every_address_of_the_service_that_is_named_exists(name: str) -> None:
    text = text_of(name).replace("<uuid>", "00000000-0000-0000-0000-000000000000")
    paths = set(re.findall(r"(?:localhost:\d+|[`\s])(/(?:api|admin)/[^\s`>\"|]*)", text))
    assert paths
    for path in paths:
        try:
            found = resolve(path.partition("?")[0])
        except Resolver404:
            pytest.fail(f"{name} names {path}, and there is no such address")
        assert found.url_name != "not-found", path


def test_both_readmes_have_the_same_headings() -> None:
    levels = [re.findall(r"(?m)^(#+) ", prose_of(name)) for name in READMES]
    assert levels[0] == levels[1]


def test_both_readmes_have_the_same_tables_and_lists() -> None:
    def shape(name: str) -> list[str]:
        return re.findall(r"(?m)^(\||- |\d+\. )", prose_of(name))

    assert shape(ENGLISH) == shape(RUSSIAN)


def test_both_readmes_have_the_same_code() -> None:
    english, russian = (_FENCE.findall(text_of(name)) for name in READMES)
    assert [language for language, _ in english] == [language for language, _ in russian]
    for (language, one), (_, other) in zip(english, russian, strict=True):
        if "┌" in one:
            assert one.count("┌") == other.count("┌")  # the picture, with words of its own
        elif language == "sh":
            assert _SHELL_COMMENT.sub("", one) == _SHELL_COMMENT.sub("", other)
        else:
            assert one == other


def test_both_readmes_name_the_same_code_in_the_same_tables() -> None:
    english, russian = ([cells[0] for cells in first_cells(name, "")] for name in READMES)
    assert english == russian


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_to_a_file_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose_of(name))
    local = [link for link in links if not link.startswith(("http://", "https://", "mailto:"))]
    missing = [link for link in local if not (PROJECT / name).parent.joinpath(link).exists()]
    assert not missing


@pytest.mark.parametrize("name", READMES)
def test_every_folder_that_is_named_exists(name: str) -> None:
    folders = re.findall(r"`((?:[a-z_]+/)+)`", prose_of(name))
    written_later = {"var/"}
    assert folders
    assert not [one for one in folders if one not in written_later and not (PROJECT / one).is_dir()]
