"""Ties a process to the life of the one that started it, as far as the system can.

As a program (`python pdeathsig.py PARENT COMMAND…`) it becomes COMMAND, which the kernel kills
when PARENT is gone, however PARENT went. Linux only; elsewhere it just becomes COMMAND.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(how: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process ``how`` when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(how))


def main() -> None:
    """Become the command on the command line, unless the parent is gone already."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    end_with_parent()
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
