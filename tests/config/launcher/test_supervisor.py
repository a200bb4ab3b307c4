"""The launcher's supervisor, with real processes that do not want to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.launcher.supervisor import _GRACE_SECONDS
from tests.servers import end_with_parent

PROJECT = Path(__file__).resolve().parents[3]

# Runs two waves: a helper, then a process and its child. Each prints its pid.
SCRIPT = """
import sys
from pathlib import Path
from config.launcher.console import Output
from config.launcher.commands import Process
from config.launcher.supervisor import Supervisor

def python(name, code, mark=b"pid"):
    return Process(name, (sys.executable, "-c", code), ready_mark=mark)

helper = python("helper", sys.argv[2])
service = python("service", sys.argv[3])
with Output(Path(sys.argv[1])) as output:
    sys.exit(Supervisor(output).run([[helper], [service]], when_up=lambda: print("up", flush=True)))
"""
PRINT_PID = "import os, signal, sys, time; print('pid', os.getpid(), flush=True);"
WAIT = PRINT_PID + "time.sleep(600)"
DEAF = (
    "import signal; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)];" + WAIT
)  # hears no request to end
PARENT = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', " + repr(DEAF) + "]);" + WAIT
)


class Run:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, helper: str, service: str) -> None:
        self.log = folder / "run.log"
        self._folder = folder
        with (folder / "out").open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", SCRIPT, str(self.log), helper, service],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent(),
            )

    @property
    def output(self) -> str:
        """What was printed so far."""
        return (self._folder / "out").read_text()

    def pids(self) -> list[int]:
        """The ids of everything that was started."""
        return [int(line.split()[-1]) for line in self.output.splitlines() if "| pid" in line]

    def wait_until_up(self, processes: int = 2) -> None:
        """Wait until everything runs."""
        give_up = time.monotonic() + 20
        while "up\n" not in self.output or len(self.pids()) < processes:
            assert time.monotonic() < give_up, self.output
            time.sleep(0.05)

    def nothing_is_left(self) -> bool:
        """Tell whether every process ends within a moment."""
        give_up = time.monotonic() + 5
        while any(alive(pid) for pid in self.pids()):
            if time.monotonic() > give_up:
                return False
            time.sleep(0.05)
        return True


def alive(pid: int) -> bool:
    """Tell whether the process runs (a dead one that nobody has buried does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[Run]]:
    """The runs of a test; whatever they left is ended."""
    made: list[Run] = []
    yield made
    for run in made:
        for pid in run.pids():
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        run.popen.kill()
        run.popen.wait()


def start(runs: list[Run], folder: Path, helper: str = WAIT, service: str = WAIT) -> Run:
    run = Run(folder, helper, service)
    runs.append(run)
    return run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_ends_everything(
    runs: list[Run], tmp_path: Path, number: signal.Signals
) -> None:
    run = start(runs, tmp_path)
    run.wait_until_up()
    run.popen.send_signal(number)
    assert run.popen.wait(10) == 0
    assert run.nothing_is_left()


def test_one_that_hears_nothing_and_one_that_is_stopped_end_too(
    runs: list[Run], tmp_path: Path
) -> None:
    run = start(runs, tmp_path, helper=WAIT, service=PARENT)
    run.wait_until_up(3)
    os.kill(run.pids()[0], signal.SIGSTOP)
    run.popen.send_signal(signal.SIGINT)
    assert run.popen.wait(25) == 0
    assert run.nothing_is_left()


def test_a_second_ctrl_c_waits_for_nobody(runs: list[Run], tmp_path: Path) -> None:
    run = start(runs, tmp_path, service=DEAF)
    run.wait_until_up()
    begun = time.monotonic()
    run.popen.send_signal(signal.SIGINT)
    time.sleep(0.3)
    run.popen.send_signal(signal.SIGINT)
    assert run.popen.wait(10) == 0
    assert time.monotonic() - begun < _GRACE_SECONDS
    assert run.nothing_is_left()


def test_a_killed_launcher_leaves_nothing(runs: list[Run], tmp_path: Path) -> None:
    run = start(runs, tmp_path, helper=DEAF, service=DEAF)
    run.wait_until_up()
    run.popen.kill()
    run.popen.wait()
    assert run.nothing_is_left()


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (PRINT_PID + "time.sleep(1); sys.exit(0)", "service ended with status 0"),
        (PRINT_PID + "time.sleep(1); sys.exit(7)", "service ended with status 7"),
        (PRINT_PID + "time.sleep(1); os.kill(os.getpid(), 9)", "service ended by signal 9"),
        ("import sys; sys.exit('no such thing')", "service ended with status 1"),
    ],
    ids=["success", "failure", "killed", "cannot start"],
)
def test_a_process_that_ends_ends_the_run_with_a_sentence(
    runs: list[Run], tmp_path: Path, service: str, words: str
) -> None:
    run = start(runs, tmp_path, service=service)
    assert run.popen.wait(20) == 1
    assert words in run.output.splitlines()[-1]
    assert run.output.splitlines()[-1].endswith("so everything was stopped.")
    assert run.nothing_is_left()
    assert words in run.log.read_text()


def test_a_log_beyond_ten_megabytes_is_begun_anew(tmp_path: Path) -> None:
    from config.launcher.console import Output

    log = tmp_path / "run.log"
    log.write_bytes(b"old\n")
    with Output(log) as output:
        output.write("web", b"new\n")
    assert log.read_bytes() == b"old\nweb     | new\n"
    log.write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    with Output(log) as output:
        output.write("web", "новая\r\n".encode())
    assert log.read_bytes() == "web     | новая\n".encode()
    assert log.stat().st_mode & 0o777 == 0o600
