"""The README and the pages in docs/ agree with the code, with their twins and with their links."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

PROJECT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    str(path.relative_to(PROJECT))
    for folder in (PROJECT, PROJECT / "docs")
    for path in folder.glob("*.md")
)
ENGLISH_ONLY = {"CHANGELOG.md", "docs/design.md", "docs/exactly-one-lead.md"}
RUSSIAN = [name for name in DOCUMENTS if name.endswith(".ru.md")]
ENGLISH = [name for name in DOCUMENTS if name not in {*RUSSIAN, *ENGLISH_ONLY}]
PAIRS = [(name, name.removesuffix(".md") + ".ru.md") for name in ENGLISH]
LANGUAGES = {"en": ENGLISH, "ru": RUSSIAN}
READMES = {"en": "README.md", "ru": "README.ru.md"}
#: A screen and a half; the rest belongs into docs/.
LONGEST_README = 130
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
    """The cells of every table row of a document whose first cell is code that begins so."""
    rows = [line for line in text_of(name).splitlines() if line.startswith(f"| `{beginning}")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split(" | ")] for row in rows]


def listed(language: str, beginning: str) -> list[list[str]]:
    """The same of all pages in a language."""
    return [row for name in LANGUAGES[language] for row in first_cells(name, beginning)]


def links_of(name: str) -> list[tuple[str, str]]:
    """Every link of a document to a file of ours: its path (empty: the same page) and anchor."""
    links = re.findall(r"\]\(([^)\s]+)", prose_of(name))
    local = [link for link in links if not link.startswith(("http://", "https://", "mailto:"))]
    return [(path, anchor) for path, _, anchor in (link.partition("#") for link in local)]


def targets_of(name: str) -> set[str]:
    """The files that a document links to, each as it is named from the project's folder."""
    folder = (PROJECT / name).parent
    found = {(folder / path).resolve() for path, _ in links_of(name) if path}
    return {str(path.relative_to(PROJECT)) for path in found}


def anchors_of(name: str) -> set[str]:
    """The anchors that GitHub gives to a document's headings."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"(?m)^#+ +(.+?) *$", prose_of(name)):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return anchors


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


def configuration(language: str) -> list[tuple[str, str]]:
    """The configuration table: each variable with its default, ``—`` for none."""
    rows = [cells for cells in listed(language, "") if re.fullmatch(r"[A-Z_]{4,}", cells[0])]
    return [(cells[0], cells[1]) for cells in rows]


def addresses_of(name: str) -> set[str]:
    """The addresses of this service that a document names."""
    text = text_of(name).replace("<uuid>", "00000000-0000-0000-0000-000000000000")
    text = text.replace("<slug>", "proftest")
    return set(re.findall(r"(?:localhost:\d+|[`\s])(/(?:api|admin)/[^\s`>\"|]*)", text))


def pages(paths: set[str]) -> set[str]:
    """Those of the paths that are pages, the same in both languages."""
    return {path.removesuffix(".md").removesuffix(".ru") for path in paths if path.endswith(".md")}


def targets() -> set[str]:
    """The Makefile's targets for people."""
    declared = re.search(r"(?m)^\.PHONY: (.*)$", text_of("Makefile"))
    assert declared
    return set(declared[1].split()) - INTERNAL_TARGETS


def test_every_page_has_a_twin_in_the_other_language() -> None:
    assert sorted(russian for _, russian in PAIRS) == RUSSIAN
    assert set(DOCUMENTS) >= ENGLISH_ONLY


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_configuration_table_has_the_variables_of_the_example(language: str) -> None:
    variables = [variable for variable, _ in configuration(language)]
    assert set(variables) == example_variables() == set(settings_read())
    assert len(variables) == len(set(variables))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_configuration_table_tells_the_defaults_of_the_settings(language: str) -> None:
    read = settings_read()
    for variable, default in configuration(language):
        if default != "—":
            assert default in read[variable], variable


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_command_table_has_every_command_of_ours(language: str) -> None:
    commands = {cells[0].split()[1] for cells in listed(language, "manage.py ")}
    assert {command for command, app in get_commands().items() if app in OUR_APPS} <= commands


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_command_table_has_every_target_of_the_makefile(language: str) -> None:
    assert {cells[0].split()[1] for cells in listed(language, "make ")} == targets()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", text_of(name)))
    assert named <= set(get_commands())
    assert set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", text_of(name))) <= targets()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_of_a_command_that_is_named_exists(language: str) -> None:
    for cells in listed(language, "manage.py "):
        command = cells[0].split()[1]
        app = get_commands()[command]
        assert isinstance(app, str)
        parser = load_command_class(app, command).create_parser("manage.py", command)
        known = {option for action in parser._actions for option in action.option_strings}
        assert set(re.findall(r"`(--[a-z-]+)", " | ".join(cells[1:]))) <= known, command


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_address_of_the_service_that_is_named_exists(language: str) -> None:
    for name in LANGUAGES[language]:
        for path in addresses_of(name):
            try:
                found = resolve(path.partition("?")[0])
            except Resolver404:
                pytest.fail(f"{name} names {path}, and there is no such address")
            assert found.url_name != "not-found", f"{name}: {path}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_readme_and_the_page_of_the_api_name_addresses(language: str) -> None:
    assert addresses_of(READMES[language])
    assert [cells for verb in ("GET", "POST", "DELETE") for cells in listed(language, f"{verb} /")]


@pytest.mark.parametrize(("english", "russian"), PAIRS)
def test_both_languages_have_the_same_headings(english: str, russian: str) -> None:
    levels = [re.findall(r"(?m)^(#+) ", prose_of(name)) for name in (english, russian)]
    assert levels[0] == levels[1]


@pytest.mark.parametrize(("english", "russian"), PAIRS)
def test_both_languages_have_the_same_tables_and_lists(english: str, russian: str) -> None:
    def shape(name: str) -> list[str]:
        return re.findall(r"(?m)^(\||- |\d+\. )", prose_of(name))

    assert shape(english) == shape(russian)


@pytest.mark.parametrize(("english", "russian"), PAIRS)
def test_both_languages_have_the_same_code(english: str, russian: str) -> None:
    ours, theirs = (_FENCE.findall(text_of(name)) for name in (english, russian))
    assert [language for language, _ in ours] == [language for language, _ in theirs]
    for (language, one), (_, other) in zip(ours, theirs, strict=True):
        if "┌" in one:
            assert one.count("┌") == other.count("┌")  # the picture, with words of its own
        elif language == "sh":
            assert _SHELL_COMMENT.sub("", one) == _SHELL_COMMENT.sub("", other)
        else:
            assert one == other


@pytest.mark.parametrize(("english", "russian"), PAIRS)
def test_both_languages_name_the_same_code_in_the_same_tables(english: str, russian: str) -> None:
    ours, theirs = ([cells[0] for cells in first_cells(name, "")] for name in (english, russian))
    assert ours == theirs


@pytest.mark.parametrize(("english", "russian"), PAIRS)
def test_both_languages_link_to_each_other_and_to_the_same_pages(
    english: str, russian: str
) -> None:
    assert russian in targets_of(english)
    assert english in targets_of(russian)
    assert pages(targets_of(english) - {russian}) == pages(targets_of(russian) - {english})


@pytest.mark.parametrize(("english", "russian"), PAIRS)
def test_a_page_links_to_pages_in_its_own_language(english: str, russian: str) -> None:
    assert not targets_of(english) & set(RUSSIAN) - {russian}
    assert not targets_of(russian) & set(ENGLISH) - {english}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_readme_leads_to_every_page(language: str) -> None:
    reached = {READMES[language], *targets_of(READMES[language])}
    assert reached >= {*LANGUAGES[language], *ENGLISH_ONLY}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_readme_is_short(language: str) -> None:
    assert len(text_of(READMES[language]).splitlines()) <= LONGEST_README


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_to_a_file_leads_somewhere(name: str) -> None:
    assert not [path for path in targets_of(name) if not (PROJECT / path).exists()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_to_an_anchor_leads_to_a_heading(name: str) -> None:
    for path, anchor in links_of(name):
        if anchor:
            page = (PROJECT / name).parent / path if path else PROJECT / name
            assert anchor in anchors_of(str(page.resolve().relative_to(PROJECT))), (path, anchor)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_folder_that_is_named_exists(language: str) -> None:
    prose = "".join(map(prose_of, LANGUAGES[language]))
    folders = re.findall(r"`((?:[a-z_]+/)+)`", prose)
    written_later = {"var/"}
    assert set(folders) - written_later
    assert not [one for one in folders if one not in written_later and not (PROJECT / one).is_dir()]
