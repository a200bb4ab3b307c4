"""Who may have a password checked, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axes.backends import AxesBackend
from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User

from config.login import browsers, failures, remembered, turns
from config.login.refusal import LoginRefused


class LoginBackend(AxesBackend):
    """Django's users. Of a wrong password Django's signal tells the handler."""

    def authenticate(
        self,
        request: Any,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The user, or ``None``. Raises ``LoginRefused`` before the password is looked at.

        Without a request there is nobody to lock out: a shell, a test.
        """
        if request is None:
            return self._checked(request, username, password, **kwargs)
        AxesProxyHandler.update_request(request)
        try:
            with self._turn(username, request):
                return self._checked(request, username, password, **kwargs)
        except LoginRefused as error:
            remembered.remember(error.refusal, username, request.axes_ip_address)
            raise

    @contextmanager
    def _turn(self, username: str | None, request: Any) -> Iterator[None]:
        address = request.axes_ip_address
        found = failures.recent(username, address, request.axes_attempt_time)
        if found.refusal:
            raise LoginRefused(found.refusal)
        # After a failure nobody waits: the place is for those who know their password.
        lane = turns.known if browsers.is_known(request, username) else turns.strangers
        with lane.turn(address, may_wait=not found.of_address):
            yield

    def _checked(self, *args: Any, **kwargs: Any) -> User | None:
        return ModelBackend.authenticate(self, *args, **kwargs)
