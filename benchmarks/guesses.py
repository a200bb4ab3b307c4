"""What others notice of a flood of logins with wrong passwords."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import requests

from benchmarks.ground import PROJECT, Ground, web_server
from benchmarks.table import Row, Section, milliseconds
from benchmarks.timing import Timing, repeat
from tests.servers import end_with_parent

CLIENTS = 30
GETS = 100
_TOKEN = "a" * 32  # of the form and of its cookie: they need only be the same


def beside_a_flood(place: Ground) -> Section:
    """``GET`` of the status alone, and while others guess passwords as fast as they can."""
    with web_server(place), requests.Session() as session:
        session.trust_env = False

        def get() -> None:
            url = f"{place.web_url}/api/admin/amocrm-locks/status"
            session.get(url, timeout=120).raise_for_status()

        calm = repeat(get, GETS)
        with _flood(place.web_port, "/no-such-page"):
            others = repeat(get, GETS)
        with _flood(place.web_port, "/admin/login/"):
            guesses = repeat(get, GETS)
    baseline = _row("status, nobody else", calm)
    rows = (_row(f"status, {CLIENTS} ask for no page", others), _row("status, they guess", guesses))
    title = f"The status while {CLIENTS} clients post as fast as they can: median of {GETS}"
    return Section(title, [baseline, *(row.against(baseline) for row in rows)])


def _row(name: str, timing: Timing) -> Row:
    return milliseconds(name, timing.median, note=f"worst {timing.worst * 1000:,.0f}")


@contextmanager
def _flood(port: int, path: str) -> Iterator[None]:
    """From a process of its own, which ends with the block."""
    command = [sys.executable, "-m", "benchmarks.guesses", str(port), path]
    flood = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, preexec_fn=end_with_parent()
    )
    try:
        assert flood.stdout
        flood.stdout.readline()  # all of them have had an answer
        yield
    finally:
        flood.kill()
        flood.wait()


def _post_for_ever(port: int, path: str, answered: Callable[[], object]) -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": f"csrftoken={_TOKEN}",
    }
    form = {"username": "admin", "password": "wrong", "csrfmiddlewaretoken": _TOKEN}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while True:
        connection.request("POST", path, urlencode(form), headers)
        connection.getresponse().read()
        answered()


def main(port: int, path: str) -> None:
    """Flood ``path``; a line says that it has begun. Never returns."""
    begun = threading.Barrier(CLIENTS + 1)
    once = threading.local()

    def answered() -> None:
        if not getattr(once, "done", False):
            once.done = True
            begun.wait()

    args = (port, path, answered)
    threads = [threading.Thread(target=_post_for_ever, args=args) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    begun.wait()
    print("begun", flush=True)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
