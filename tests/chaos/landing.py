"""Sending the forms as landing pages do, until each is accepted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.chaos.population import Form

SECONDS = 120.0


class Refused(Exception):
    """The service refused a form that is in order."""


class Landing:
    """Sends forms from several threads. ``accepted``: number of the form → submission."""

    def __init__(self, url: str, *, threads: int = 6) -> None:
        self._url = url
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="landing")
        self._lock = threading.Lock()
        self.accepted: dict[int, str] = {}
        self.accepted_at: dict[str, float] = {}
        self.repeated = 0
        self.errors: list[Exception] = []

    def send(self, forms: Iterable[Form]) -> None:
        """Send these soon."""
        for form in forms:
            self._pool.submit(self._send, form)

    def close(self) -> None:
        """Wait for what is being sent."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _send(self, form: Form) -> None:
        """With its own idempotency key, as often as it takes: a lost answer leaves one row."""
        try:
            reference = self._until_accepted(form)
        except Exception as error:
            with self._lock:
                self.errors.append(error)
            return
        with self._lock:
            self.accepted[form.number] = reference
            self.accepted_at[reference] = time.monotonic()

    def _until_accepted(self, form: Form) -> str:
        give_up = time.monotonic() + SECONDS
        while True:
            try:
                with requests.Session() as session:
                    session.trust_env = False
                    answer = session.post(
                        self._url + form.path,
                        json=form.body,
                        headers={"Idempotency-Key": f"chaos-{form.number}"},
                        timeout=25,
                    )
                if answer.status_code == 202:
                    return str(answer.json()["leadId"])
                if answer.status_code < 500:
                    raise Refused(f"form {form.number}: {answer.status_code} {answer.text[:300]}")
            except requests.RequestException:
                pass
            if time.monotonic() > give_up:
                raise TimeoutError(f"form {form.number} was not accepted in {SECONDS:g} s")
            with self._lock:
                self.repeated += 1
            time.sleep(0.3)
