"""A process of the run: started, killed, frozen and ended by its own process id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import end_with_parent

PROJECT = Path(__file__).resolve().parents[2]


class Child:
    """One process, whose output goes to a file of its own.

    Start it only in a thread that lives as long as it should: the kernel ends it with the
    thread that started it. ``expected_to_run`` is false after we ended it ourselves.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.expected_to_run = False
        self._command = [sys.executable, *command]
        self._environment = {**os.environ, **environment}
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether it runs or is frozen."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, if it does not run; its readiness is another question."""
        if self.is_running:
            return
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )
        self.expected_to_run = True

    def run(self, seconds: float = 120) -> str:
        """Run it to its end and return what it wrote; raises :class:`RuntimeError`."""
        before = self.log.stat().st_size if self.log.exists() else 0
        self.start()
        assert self._process is not None
        status = self._process.wait(seconds)
        self.expected_to_run = False
        text = self.log.read_text("utf-8", "replace")[before:]
        if status:
            raise RuntimeError(f"{self.name} ended with status {status}: {text[-2000:]}")
        return text

    def kill(self) -> None:
        """``kill -9``: no cleaning up."""
        self._end(signal.SIGKILL)

    def stop(self, patience: float = 3.0) -> None:
        """Ask it to end; insist after ``patience`` seconds."""
        self._end(signal.SIGTERM, patience)

    def pause(self) -> None:
        """Freeze it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on; harmless for one that runs."""
        self._signal(signal.SIGCONT)

    def wrote(self, text: str) -> bool:
        """Whether its output holds ``text``."""
        return self.log.exists() and text in self.log.read_text("utf-8", "replace")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _end(self, number: signal.Signals, patience: float = 10.0) -> None:
        self.expected_to_run = False
        if self._process is None:
            return
        self._signal(number)
        self.resume()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
