"""What people read: the launcher's own sentences, and the processes' lines, which also go to
``var/run.log``."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path
from typing import IO

from django.conf import settings

_LARGEST_LOG = 10 * 1024 * 1024


def say(text: str) -> None:
    """Print ``text`` at once; a reader that went away is not this program's trouble."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


class Output:
    """Writes whole lines, from any thread; a terminal that went away stops nothing."""

    def __init__(self, log: Path | None = None) -> None:
        self._path = log or settings.VAR_DIR / "run.log"
        self._lock = threading.Lock()
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Output:
        """Open the log; one beyond 10 MB is begun anew."""
        mode = "ab"
        with contextlib.suppress(OSError):
            if self._path.stat().st_size > _LARGEST_LOG:
                mode = "wb"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self._path.open(mode, buffering=0)
        self._path.chmod(0o600)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            log, self._log = self._log, None
        if log is not None:
            log.close()

    def write(self, name: str, line: bytes) -> None:
        """Write one line of the process ``name``."""
        whole = f"{name:<8}| ".encode() + line.rstrip(b"\r\n") + b"\n"
        with self._lock:
            if self._log is not None:
                with contextlib.suppress(OSError):
                    self._log.write(whole)
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.buffer.write(whole)
                sys.stdout.buffer.flush()
