"""Several processes that send to a sandbox as fast as the limiter lets them, and what was seen.

The sandbox is a process of its own, so that nobody's threads are waited for; a machine that is
busy elsewhere may starve it all the same. What it received late is told from what was sent close
together by the moments that the senders note.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amocrm.sandbox.control_client import SandboxControl
from tests.servers import end_with_parent, free_port
from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Arrival:
    """One request: seconds of one clock, by the sandbox and by its sender."""

    at: float
    sent_at: float

    @property
    def underway(self) -> float:
        """Seconds from the sender to the sandbox, beyond those of the quickest of the run."""
        return self.at - self.sent_at


@dataclass(frozen=True)
class LimitedRun:
    """``counted`` is the sandbox's own count; ``permits`` are monotonic seconds."""

    arrivals: list[Arrival]
    permits: list[float]
    counted: dict[str, Any]

    @property
    def pace(self) -> float:
        """Requests a second, by the sandbox's log, between the first and the last."""
        return per_second([one.at for one in self.arrivals])

    def most_in_a_second(self, *, longest_underway: float) -> int:
        """The most in any second, had none been underway for longer than that many seconds."""
        return most_in_a_second(
            [min(one.at, one.sent_at + longest_underway) for one in self.arrivals]
        )


def most_in_a_second(moments: list[float]) -> int:
    """The most of these moments that lie within one second (its end excluded)."""
    moments = sorted(moments)
    return max(sum(first <= other < first + 1 for other in moments) for first in moments or [0.0])


def per_second(moments: list[float]) -> float:
    """How many a second there were between the first and the last."""
    return (len(moments) - 1) / (max(moments) - min(moments))


@dataclass(frozen=True)
class SandboxProcess:
    """A sandbox in a process of its own."""

    port: int
    control: SandboxControl

    @property
    def url(self) -> str:
        """What ``AMOCRM_BASE_URL`` is to be."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def sandbox_process() -> Iterator[SandboxProcess]:
    """A sandbox that counts and refuses nobody."""
    port = free_port()
    command = ("amocrm.sandbox", "--port", str(port), "--index-lag", "0", "--rps", "0")
    running = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=end_with_parent(),
    )
    control = SandboxControl(f"http://127.0.0.1:{port}")
    try:
        wait_until(lambda: _answers(control), "the sandbox does not answer")
        yield SandboxProcess(port, control)
    finally:
        control.close()
        running.terminate()
        running.wait(30)


def run_processes(
    control: SandboxControl, *, count: int, seconds: float, **environment: str
) -> LimitedRun:
    """Let ``count`` processes send for so long. Raises when one of them met an error."""
    command = ("-W", "ignore", "-m", "tests.amocrm.api.limited_process", str(seconds), str(count))
    run = subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + 60,
        preexec_fn=end_with_parent(),
    )
    said = json.loads(run.stdout)
    errors = [error for one in said for error in one["errors"]]
    if errors:
        raise RuntimeError(f"not every request was answered: {errors}")
    sent = {request_id: moment for one in said for request_id, moment in one["sent"]}
    at = {one["request_id"]: one["at"] for one in control.requests() if one["request_id"] in sent}
    # The sandbox counts from the epoch, the senders from the start of the machine.
    offset = min(at[request_id] - moment for request_id, moment in sent.items())
    return LimitedRun(
        [Arrival(at[request_id], moment + offset) for request_id, moment in sent.items()],
        [moment for one in said for moment in one["permits"]],
        control.state()["requests"],
    )


def _answers(control: SandboxControl) -> bool:
    try:
        control.state()
    except OSError:
        return False
    return True
