"""The whole service in a copy of the project whose path has a space, started as people start it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import ENVIRONMENT
from tests.servers import end_with_parent, free_port

PROJECT = Path(__file__).resolve().parents[1]
PARTS = ("manage.py", "env.env.example", "config", "leads", "amocrm", "locks_admin", "templates")


class Copy:
    """A copy of the project with ports of its own and no other settings than the example's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        redis = f"redis://127.0.0.1:{free_port()}"
        self.env = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
        self.env.pop("DJANGO_SETTINGS_MODULE", None)
        self.env.update(
            PORT=str(self.port),
            REDIS_URL=f"{redis}/0",
            REDIS_LOCKS_URL=f"{redis}/1",
            AMOCRM_BASE_URL=f"http://127.0.0.1:{free_port()}",
        )
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """What the current run printed so far."""
        return (self.folder / "output").read_text(encoding="utf-8")

    def start(self, action: str = "run", **changes: str) -> subprocess.Popen[bytes]:
        """Start the launcher."""
        with (self.folder / "output").open("wb") as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "config.launcher", action],
                cwd=self.folder,
                env={**self.env, **changes},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent(),
            )
        return self._popen

    def start_and_wait(self, **changes: str) -> subprocess.Popen[bytes]:
        """Start the launcher and wait until it says that everything is up."""
        popen = self.start(**changes)
        give_up = time.monotonic() + 60
        while "Everything is up" not in self.output:
            assert popen.poll() is None, self.output
            assert time.monotonic() < give_up, self.output
            time.sleep(0.1)
        return popen

    def processes(self) -> list[psutil.Process]:
        """Whatever runs in this copy."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and (
                    process.cwd().startswith(str(self.folder))
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def nothing_runs(self) -> bool:
        """Tell whether everything ends within a moment."""
        give_up = time.monotonic() + 5
        while self.processes():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.1)
        return True

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self.processes():
            process.kill()
        if self._popen is not None:
            self._popen.wait()


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    """A copy of the project; whatever still runs in it is ended afterwards."""
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in PARTS:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    made = Copy(folder)
    yield made
    made.end()
