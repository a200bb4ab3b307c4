"""``python -m tests.chaos.rigged COMMAND…``: a process of the service with something wrong.

``CHAOS_SKEW`` seconds are added to its clock. ``CHAOS_FREEZE`` is a JSON list of places where a
thread stops for good, so that a ``kill -9`` finds it exactly there::

    {"mark": "…/file", "when": "before" | "after", "call": "<regular expression>"}

``call`` is searched in ``METHOD address body`` of a call to the CRM; ``mark`` is a file
that is made when a thread has stopped. COMMAND is ``celery …`` or ``manage …``.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django
import requests
import time_machine


def main() -> None:
    """Rig this process as the environment says, then become the command."""
    if skew := float(os.environ.get("CHAOS_SKEW", "0")):
        shift_clock(skew)
    django.setup()
    if places := json.loads(os.environ.get("CHAOS_FREEZE", "[]")):
        _freeze_at(places)
    command, *arguments = sys.argv[1:]
    if command == "celery":
        sys.argv = ["celery", *arguments]
        runpy.run_module("celery", run_name="__main__")
    else:
        sys.argv = ["manage.py", *arguments]
        runpy.run_path("manage.py", run_name="__main__")


def shift_clock(seconds: float) -> None:
    """Set the clock of this process off by ``seconds``, for good."""
    shifted = datetime.now(UTC) + timedelta(seconds=seconds)
    time_machine.travel(shifted, tick=True).start()
    # Such a clock stands still until somebody looks at it: what a slow start of the process
    # takes would be added to the skew.
    time.time()


def _freeze_at(places: list[dict[str, str]]) -> None:
    send = requests.Session.send

    def stop_if(when: str, call: str) -> None:
        for place in places:
            if place["when"] == when and re.search(place["call"], call):
                Path(place["mark"]).touch()
                threading.Event().wait()

    def rigged(
        self: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        body = request.body or b""
        text = body if isinstance(body, str) else body.decode()
        call = f"{request.method} {request.url} {text}"
        stop_if("before", call)
        try:
            return send(self, request, **options)
        finally:
            stop_if("after", call)

    requests.Session.send = rigged  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
