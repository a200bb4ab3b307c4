"""Starts processes, carries their output, and ends them all: together, whatever they do.

Each process has a session of its own, so a Ctrl-C reaches only the supervisor, and so its whole
process group can be ended. One that ends by itself ends the run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from config.launcher.commands import Process
from config.launcher.console import Output

_TETHER = Path(__file__).with_name("pdeathsig.py")
_ASKED_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_START_SECONDS = 60.0
_GRACE_SECONDS = 8.0
_TICK_SECONDS = 0.05


@dataclass
class _Running:
    process: Process
    popen: subprocess.Popen[bytes]
    reader: threading.Thread
    marked: threading.Event = field(default_factory=threading.Event)

    def is_ready(self) -> bool:
        mark = self.process.ready_mark
        return self.marked.is_set() if mark is not None else self.process.ready()


class _Ended(Exception):
    """A process ended by itself or did not become ready; ``str()`` is the sentence."""


class Supervisor:
    """Keeps waves of processes running until one ends or somebody asks to stop."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._waves: list[list[_Running]] = []
        self._signals = 0

    def run(
        self, waves: Sequence[Sequence[Process]], *, when_up: Callable[[], None] = lambda: None
    ) -> int:
        """Start the waves one after the other, each when the last is ready; return a status.

        0 after a signal that asks to stop, 1 when a process ended by itself (a sentence says
        which). Nothing that was started is left when this returns. Call it from the main thread.
        """
        previous = {number: signal.signal(number, self._on_signal) for number in _ASKED_TO_STOP}
        sentence = ""
        try:
            self._keep(waves, when_up)
        except _Ended as ended:
            sentence = str(ended)
        finally:
            self._end_all()
            for number, handler in previous.items():
                signal.signal(number, handler)
        if sentence:
            self._output.write("make run", sentence.encode())
        return 1 if sentence else 0

    def _keep(self, waves: Sequence[Sequence[Process]], when_up: Callable[[], None]) -> None:
        for wave in waves:
            self._start_wave(wave)
            if self._signals:
                return
        when_up()
        while not self._signals:
            self._require_all_running()
            time.sleep(_TICK_SECONDS)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _start_wave(self, wave: Sequence[Process]) -> None:
        running: list[_Running] = []
        self._waves.append(running)
        for process in wave:
            running.append(self._start(process))
        give_up = time.monotonic() + _START_SECONDS
        waiting = list(running)
        while waiting and not self._signals:
            self._require_all_running()
            waiting = [item for item in waiting if not item.is_ready()]
            if waiting and time.monotonic() > give_up:
                name = waiting[0].process.name
                raise _Ended(f"{name} did not become ready within {_START_SECONDS:g} s.")
            time.sleep(_TICK_SECONDS)

    def _start(self, process: Process) -> _Running:
        popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *process.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        reader = threading.Thread(target=lambda: self._read(running), daemon=True)
        running = _Running(process, popen, reader)
        reader.start()
        return running

    def _read(self, running: _Running) -> None:
        stream = running.popen.stdout
        mark = running.process.ready_mark
        assert stream is not None  # noqa: S101
        for line in stream:
            if mark is not None and mark in line:
                running.marked.set()
            self._output.write(running.process.name, line)

    def _require_all_running(self) -> None:
        for running in self._all():
            status = running.popen.poll()
            if status is not None:
                how = f"with status {status}" if status >= 0 else f"by signal {-status}"
                running.reader.join(1)
                raise _Ended(f"{running.process.name} ended {how}, so everything was stopped.")

    def _end_all(self) -> None:
        """End the waves, the last one first: the service still needs its neighbours meanwhile."""
        asked_before = self._signals
        for wave in reversed(self._waves):
            for running in wave:
                _signal_group(running, signal.SIGTERM)
                _signal_group(running, signal.SIGCONT)  # a stopped one could not hear it
            give_up = time.monotonic() + _GRACE_SECONDS
            while any(running.popen.poll() is None for running in wave):
                # Asked a second time: wait no longer.
                if time.monotonic() > give_up or self._signals > max(asked_before, 1):
                    break
                time.sleep(_TICK_SECONDS)
            for running in wave:
                _signal_group(running, signal.SIGKILL)  # also what a process left behind
                running.popen.wait()
        for running in self._all():
            running.reader.join(1)

    def _all(self) -> list[_Running]:
        return [running for wave in self._waves for running in wave]


def _signal_group(running: _Running, number: int) -> None:
    # The group's id is the process's id, and stays its own as long as anybody is in the group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(running.popen.pid, number)
