"""Processes of the service that send as fast as the limiter lets them; see ``limited_run``.

``python -m … SECONDS COUNT``. Prints a list with a JSON object for each: ``permits`` and ``sent``
(request id and moment), in monotonic seconds, which on one machine are the same for all processes,
and ``errors``.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, cast

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

# Only now (E402): these read the settings.
from amocrm import conf  # noqa: E402
from amocrm.api import rate_limit  # noqa: E402
from amocrm.api.client import connect  # noqa: E402
from amocrm.api.rate_limit import Limiter, Permit  # noqa: E402
from amocrm.api.responses import ApiResponse  # noqa: E402
from amocrm.api.transport import Exchange  # noqa: E402
from amocrm.errors import AmoError  # noqa: E402

THREADS = 4
REQUESTS = 4  # with one connection, as a delivery makes them

permits: list[float] = []
sent: list[tuple[str, float]] = []
errors: list[str] = []


class _Noting(Limiter):
    """The configured limiter, noting its permits."""

    def __init__(self, inner: Limiter) -> None:
        super().__init__(inner._slots, inner.max_rps)

    def acquire(self, max_wait: float) -> Permit:
        permit = super().acquire(max_wait)
        permits.append(permit.taken_at)
        return permit


class _NotingExchange:
    """An exchange that notes when each request was sent."""

    def __init__(self, inner: Exchange) -> None:
        self._inner = inner
        self.warm_up = inner.warm_up

    def __call__(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Any
    ) -> ApiResponse:
        moment = time.monotonic()
        response = self._inner(method, path, params, body)
        sent.append((response.request_id, moment))
        return response


def _ask(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with connect(conf.current()) as client:
            exchange: Any = cast(Any, client.sender)._exchange
            exchange._session.verify = os.environ.get("AUTHORITY") or True
            # Not the class, but all that a sender uses of it.
            cast(Any, client.sender)._exchange = _NotingExchange(exchange)
            cast(Any, client.sender)._limiter = _Noting(rate_limit.for_account(conf.current()))
            for _ in range(REQUESTS):
                try:
                    client.probing().account()
                except AmoError as error:
                    errors.append(str(error))
                    return


def _send(seconds: float) -> dict[str, Any]:
    """Ask for the account for so many seconds, from several threads."""
    threads = [threading.Thread(target=_ask, args=(seconds,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"permits": permits, "sent": sent, "errors": errors}


def main() -> None:
    """Fork the processes: what each of them imports is the same, and takes longest."""
    seconds, count = float(sys.argv[1]), int(sys.argv[2])
    with multiprocessing.get_context("fork").Pool(count, maxtasksperchild=1) as processes:
        seen = processes.map(_send, [seconds] * count, chunksize=1)
    sys.stdout.write(json.dumps(seen))


main()
