"""What becomes of a wrong password: a row, a log line, a count and, in the end, a lockout."""

from __future__ import annotations

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username

from amocrm import counters
from amocrm.counters import Event
from amocrm.log_context import get_logger
from amocrm.text.masking import mask_local
from amocrm.text.printable import one_line, shortened
from config.login import conf, failures

logger = get_logger(__name__)

_LONGEST_NAME = 60  # characters, in the log


class LockoutHandler(AxesDatabaseHandler):
    """Axes' own, with a second, higher limit for an address whatever the name."""

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        """What axes compares with ``AXES_FAILURE_LIMIT``, which is reached by either lockout."""
        username = get_client_username(request, credentials)
        found = failures.recent(username, request.axes_ip_address, request.axes_attempt_time)
        return conf.current().pair_limit if found.refusal else found.of_pair

    def user_login_failed(
        self,
        sender: Any,
        credentials: dict[str, Any],
        request: Any = None,
        **kwargs: Any,
    ) -> None:
        """Keep, log and count it. Without a request (a shell) nothing."""
        if request is None:
            return
        super().user_login_failed(sender, credentials, request, **kwargs)
        who = _shown(get_client_username(request, credentials) or "")
        where = request.axes_ip_address or "an unknown address"
        logger.info("🔑 Login failed: %s from %s", who, where)
        counters.count(Event.LOGIN_FAILED)
        if request.axes_locked_out:
            minutes = conf.current().cool_off.total_seconds() / 60
            logger.warning("⛔ Login locked for %g min: %s from %s", minutes, who, where)
            counters.count(Event.LOGIN_LOCKED)

    def reset_user_attempts(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        """After a login: forget the failures of this user name from this address, and of no
        other. Whoever has a password of their own could go on guessing others' otherwise."""
        of_pair, _ = self.filter_user_attempts(request, credentials)
        count, _ = of_pair.delete()
        return int(count)


def _shown(username: str) -> str:
    """As typed, on one line; masked, its first letters: it need not look like an e-mail."""
    name = shortened(one_line(username), _LONGEST_NAME)
    return name if conf.current().logs_people else mask_local(name)
