"""A process of the service that sends as fast as the limiter lets it; run by its test."""

from __future__ import annotations

import os
import sys
import threading
import time

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from amocrm import conf  # noqa: E402
from amocrm.api.client import connect  # noqa: E402
from amocrm.errors import AmoError  # noqa: E402

THREADS = 4
REQUESTS = 4  # with one connection, as a delivery makes them


def _ask(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with connect(conf.current()) as client:
            client._sender._exchange._session.verify = os.environ.get("AUTHORITY") or True
            for _ in range(REQUESTS):
                try:
                    client.probing().account()
                except AmoError as error:
                    sys.stdout.write(f"{error}\n")
                    return


def main() -> None:
    """Ask for the account for so many seconds, from several threads."""
    seconds = float(sys.argv[1])
    threads = [threading.Thread(target=_ask, args=(seconds,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
