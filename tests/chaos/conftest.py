"""The running services that the tests of this folder share."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.children import PROJECT, Child
from tests.chaos.scale import Scale, settings
from tests.conftest import is_one_of_several
from tests.servers import end_with_parent

_SHORT = "--timeout 1.5 --workers 3"
STORMS = {
    "with Redis": f"{_SHORT} --submissions 60 --faults 30 --seed 20 --backlog 40 --skew -5",
    "without Redis": f"{_SHORT} --no-redis --submissions 30 --faults 12 --seed 21 --skew 5",
    "within amoCRM's limits": "--real-limits --submissions 15 --faults 4 --seed 22",
}
STORM_SECONDS = 420


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """A SQLite file with all tables and an operator, for stacks to begin with."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-template-"))
    database = folder / "db.sqlite3"
    environment = settings(
        Scale(),
        database=f"sqlite:///{database}",
        redis=None,
        crm="http://127.0.0.1:1",
        port=1,
    )
    Child("prepare", ("-m", "tests.chaos.prepare"), environment, folder).run()
    yield database
    shutil.rmtree(folder, ignore_errors=True)


class Storms:
    """`python -m tests.chaos` in the background, by name."""

    def __init__(self, names: list[str], template: Path) -> None:
        common = ("-m", "tests.chaos", "--minutes", "6", "--template", str(template))
        self._running = {
            name: subprocess.Popen(
                [sys.executable, *common, *STORMS[name].split()],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                preexec_fn=end_with_parent(),
            )
            for name in names
        }

    def result(self, name: str) -> tuple[int, str]:
        """The exit status and the output of a run, once it is over."""
        process = self._running[name]
        said, _ = process.communicate(timeout=STORM_SECONDS)
        return process.returncode, said

    def end(self) -> None:
        """End what still runs."""
        for process in self._running.values():
            process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def storms(request: pytest.FixtureRequest, template: Path) -> Iterator[Storms]:
    """The storms that were asked for, running since somebody asked for the first."""
    asked = {item.name for item in request.session.items if item.path.name == "test_storms.py"}
    names = [name for name in STORMS if any(name in item for item in asked)]
    running = Storms(names, template)
    yield running
    running.end()


@pytest.fixture(scope="session", autouse=True)
def _storms_beside_the_others(request: pytest.FixtureRequest) -> None:
    """A process that is alone with all tests begins the storms with the first of this folder."""
    if not is_one_of_several(request.config):
        request.getfixturevalue("storms")
