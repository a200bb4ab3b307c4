"""The sandbox without its network: account, limits, faults and counters together."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from typing import Any

from amocrm.sandbox.account.clock import Clock
from amocrm.sandbox.account.store import Account
from amocrm.sandbox.api.request import Request
from amocrm.sandbox.api.responses import Answer, problem
from amocrm.sandbox.api.routes import answer, template_of
from amocrm.sandbox.faults import Faults, LateWrites
from amocrm.sandbox.settings import Settings
from amocrm.sandbox.throttle import Throttle

logger = logging.getLogger(__name__)

KEPT_REQUESTS = 20000


class Sandbox:
    """One account and everything that can be done to it from outside.

    ``settings`` are those it starts with and goes back to on :meth:`reset`.
    """

    def __init__(self, settings: Settings | None = None, *, id_shift: int = 0) -> None:
        self._initial = settings or Settings()
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.clock = Clock()
        self.account = Account(self.clock, id_shift=id_shift)
        self.throttle = Throttle(self.clock)
        self.faults = Faults()
        self.late = LateWrites()
        self.settings = self._initial
        self._forget_traffic()
        self._apply()
        self.faults.seed(self.settings.seed)

    def _apply(self) -> None:
        self.clock.offset = self.settings.clock_offset
        self.clock.freeze(self.settings.clock_frozen)

    def _forget_traffic(self) -> None:
        self._counts: Counter[str] = Counter()
        self._requests: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)

    def configure(self, changes: dict[str, Any]) -> None:
        """Change settings. Raises :class:`ValueError` with a sentence and changes nothing."""
        with self._lock, self.account.lock:
            changed = self.settings.changed(changes)
            # What is findable and listed by now stays so under the new lags.
            self.account.index.catch_up(self.clock.seconds(), self.settings.index_lag)
            if changed.list_lag != self.settings.list_lag:
                self.account.keep_listed(self.settings.list_lag)
            self.settings = changed
            if "seed" in changes:
                self.faults.seed(changed.seed)
            self._apply()

    def reset(self) -> None:
        """Empty the account, drop faults and late writes, forget counts, restore settings."""
        with self._lock:
            self.late.drop()
            self.faults.clear()
            self.settings = self._initial
            self._apply()
            self.faults.seed(self.settings.seed)
            self.account.clear()
            self.throttle.reset()
            self._forget_traffic()

    def log_request(self, request: Request, request_id: str) -> dict[str, Any]:
        """Note a request to the API; the entry to complete with how it ended."""
        path = template_of(request.path)
        entry: dict[str, Any] = {
            "at": self.clock.seconds(),
            "method": request.method,
            "path": request.path,
            "query": request.raw_query,
            "request_id": request_id,
            "status": None,
            "fault": None,
        }
        with self._lock:
            self._counts[f"{request.method} {path}"] += 1
            self._requests.append(entry)
        return entry

    def counts(self) -> dict[str, int]:
        """Requests since the last reset, by method and path with ``{id}`` for numbers."""
        with self._lock:
            return dict(self._counts)

    def requests(self) -> list[dict[str, Any]]:
        """The last :data:`KEPT_REQUESTS` requests, oldest first."""
        with self._lock:
            return [dict(one) for one in self._requests]

    def carry_out(self, request: Request, generation: int) -> Answer | None:
        """Answer a request; ``None`` if the account was cleared since ``generation``."""
        with self.account.lock:
            if self.account.generation != generation:
                return None
            try:
                return answer(self.account, self.settings, request)
            except Exception:
                logger.exception("The sandbox failed at %s %s", request.method, request.path)
                return problem(500, "Internal Server Error", "The sandbox failed; see its log.")

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the server's end."""
        self.stopping.wait(seconds)
