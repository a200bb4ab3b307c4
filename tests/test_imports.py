"""Imports run one way: locks_admin → leads → amocrm. Also those inside functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "amocrm": {"leads", "locks_admin", "rest_framework", "tests"},
    "leads": {"locks_admin", "tests"},
    "locks_admin": {"tests"},
    "config": {"tests"},
}
# The clients of both protocols stay where they belong.
ONLY_IN_AMOCRM = {"requests", "redis_lock"}


def modules(app: str) -> list[Path]:
    """The app's modules."""
    return sorted((PROJECT / app).rglob("*.py"))


def imported(module: Path) -> Iterator[str]:
    """The top-level package of everything that the module imports, however deep inside."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("app", FORBIDDEN)
def test_an_app_imports_only_along_the_arrows(app: str) -> None:
    assert modules(app)
    wrong = {
        f"{module.relative_to(PROJECT)} imports {name}"
        for module in modules(app)
        for name in imported(module)
        if name in FORBIDDEN[app]
    }
    assert not wrong


@pytest.mark.parametrize("app", ["leads", "locks_admin"])
def test_only_amocrm_speaks_to_the_crm_and_takes_locks(app: str) -> None:
    wrong = {
        f"{module.relative_to(PROJECT)} imports {name}"
        for module in modules(app)
        for name in imported(module)
        if name in ONLY_IN_AMOCRM
    }
    assert not wrong
