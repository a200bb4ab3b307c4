"""Imports run one way, and the rooms stay small. Imports inside functions count, too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
APPS = ("amocrm", "leads", "locks_admin", "config")
MAX_FILES = 12  # at the root of an app: more than that is a table of contents nobody reads

# What an app must not import, or a room of it.
FORBIDDEN = {
    "amocrm": {"leads", "locks_admin", "rest_framework", "tests"},
    "leads": {"locks_admin", "tests"},
    # What is watched must not be able to change amoCRM by accident.
    "locks_admin": {"tests", "amocrm.api.client", "amocrm.api.sender", "amocrm.api.transport"},
    "config": {"tests"},
}
# The rooms of amocrm from the bottom up: each imports only what stands before it.
FLOORS = (
    {"amocrm.models", "amocrm.errors", "amocrm.identity", "amocrm.conf", "amocrm.contract"},
    {
        "amocrm.log_context",
        "amocrm.circuit_breaker",
        "amocrm.redis_clients",
        "amocrm.text",
        "amocrm.write_turns",
    },
    {"amocrm.counters"},
    {"amocrm.api", "amocrm.locks"},
    {"amocrm.account", "amocrm.ledger", "amocrm.mirror"},
    {"amocrm.upsert"},
    {"amocrm.diagnostics"},
    {"amocrm.admin", "amocrm.apps", "amocrm.management"},
)
# Django and Python alone; it stands beside all of these.
SANDBOX = "amocrm.sandbox"
# The clients of both protocols stay where they belong.
ONLY_IN_AMOCRM = {"requests", "redis_lock"}


def modules() -> dict[str, Path]:
    """Every module of the project's apps, by its dotted name."""
    found = {}
    for app in APPS:
        for path in sorted((PROJECT / app).rglob("*.py")):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            if "migrations" not in parts:
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(name: str) -> Iterator[str]:
    """Everything that the module ``name`` imports: a module of the project's by its whole name."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import hides where things live"
            assert node.module
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def is_within(name: str, package: str) -> bool:
    """Whether the module is the package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def floor_of(name: str) -> int:
    """The floor on which a module of ``amocrm`` lives."""
    for number, rooms in enumerate(FLOORS):
        if any(is_within(name, room) for room in rooms):
            return number
    raise AssertionError(f"{name} lives on no floor")


@pytest.mark.parametrize("app", FORBIDDEN)
def test_an_app_imports_only_along_the_arrows(app: str) -> None:
    wrong = {
        f"{name} imports {other}"
        for name in MODULES
        if is_within(name, app)
        for other in imported(name)
        if any(is_within(other, forbidden) for forbidden in FORBIDDEN[app])
    }
    assert not wrong


def test_there_is_no_circle_of_modules() -> None:
    graph = {name: {other for other in imported(name) if other != name} for name in MODULES}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(" → ".join(circle.args[1]))


def test_inside_amocrm_imports_run_downwards() -> None:
    wrong = {
        f"{name} imports {other}"
        for name in MODULES
        if is_within(name, "amocrm") and name != "amocrm" and not is_within(name, SANDBOX)
        for other in imported(name)
        if is_within(other, "amocrm")
        and not is_within(other, SANDBOX)
        and floor_of(other) > floor_of(name)
    }
    assert not wrong


def test_nobody_but_its_own_command_imports_the_sandbox() -> None:
    users = {
        name
        for name in MODULES
        if not is_within(name, SANDBOX)
        if any(is_within(other, SANDBOX) for other in imported(name))
    }
    assert users == {"amocrm.management.commands.amocrm_sandbox"}


@pytest.mark.parametrize("app", ["leads", "locks_admin"])
def test_only_amocrm_speaks_to_the_crm_and_takes_locks(app: str) -> None:
    wrong = {
        f"{name} imports {other}"
        for name in MODULES
        if is_within(name, app)
        for other in imported(name)
        if other.split(".")[0] in ONLY_IN_AMOCRM
    }
    assert not wrong


@pytest.mark.parametrize("app", ["amocrm", "leads", "locks_admin"])
def test_an_app_knows_the_configuration_by_its_settings_only(app: str) -> None:
    wrong = {
        f"{name} imports {other}"
        for name in MODULES
        if is_within(name, app)
        for other in imported(name)
        if is_within(other, "config")
    }
    assert not wrong


@pytest.mark.parametrize("app", APPS)
def test_the_root_of_an_app_is_a_short_table_of_contents(app: str) -> None:
    assert len(list((PROJECT / app).glob("*.py"))) <= MAX_FILES
