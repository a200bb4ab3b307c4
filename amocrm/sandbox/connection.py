"""HTTP/1.1 on one connection: reading requests, sending answers, and failing to."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import uuid
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any

from amocrm.sandbox.api.request import Request
from amocrm.sandbox.api.responses import HTML, Answer, as_json, nginx_page, not_found, phrase_of
from amocrm.sandbox.control_api import PREFIX, control
from amocrm.sandbox.faults import Rule
from amocrm.sandbox.pages.board import page
from amocrm.sandbox.sandbox import Sandbox
from amocrm.sandbox.settings import Settings
from amocrm.sandbox.strangers import is_for_this_machine

logger = logging.getLogger(__name__)

MAX_BODY = 8 * 1024 * 1024
IDLE_SECONDS = 300


class Handler(BaseHTTPRequestHandler):
    """Bound to a :class:`Sandbox` by :mod:`.server`, one instance per connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    sandbox: Sandbox

    def _serve(self) -> None:
        try:
            request = self._read()
            if request is not None:
                self._dispatch(request)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _serve

    def _read(self) -> Request | None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(as_json(413, {"title": "Request Entity Too Large", "status": 413}))
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return Request(self.command, self.path, headers, body)

    def _dispatch(self, request: Request) -> None:
        path = request.path
        if not is_for_this_machine(request):
            self._send(as_json(421, {"title": "Misdirected Request", "status": 421}))
        elif path == PREFIX or path.startswith(PREFIX + "/"):
            self._send(control(self.sandbox, request))
        elif path.startswith("/api/"):
            self._api(request)
        else:
            self._send(page(self.sandbox, request) or not_found())

    def _api(self, request: Request) -> None:
        request_id = uuid.uuid4().hex
        entry = self.sandbox.log_request(request, request_id)
        refusal = self.sandbox.throttle.admit(self.sandbox.settings)
        generation = self.sandbox.account.generation
        rule = None
        if refusal is None:
            rule = self.sandbox.faults.pick(request)
            self.sandbox.pause(_latency(self.sandbox.settings, request))
        if refusal is not None:
            self._finish(refusal, entry)
        elif rule is None:
            self._finish(self.sandbox.carry_out(request, generation), entry)
        else:
            entry["fault"] = rule.action
            self._misbehave(rule, request, generation, entry)
        logger.info(
            "%s %s → %s%s",
            request.method,
            request.path,
            entry["status"] or "no answer",
            f" ({rule.action})" if rule else "",
        )

    def _misbehave(
        self, rule: Rule, request: Request, generation: int, entry: dict[str, Any]
    ) -> None:
        sandbox = self.sandbox
        part = rule.part_of(request)
        if rule.action == "apply_late":
            sandbox.late.add(rule.delay, lambda: sandbox.carry_out(part, generation))
            if rule.hold:
                sandbox.pause(rule.delay)
            self.close_connection = True
            return
        if rule.action == "delay":
            sandbox.pause(rule.delay)
        answer: Answer | None = None
        if rule.action != "answer" and (rule.action != "reset" or rule.commit):
            answer = sandbox.carry_out(part, generation)
        if rule.action == "lose_answer":
            self.close_connection = True
        elif rule.action == "reset":
            self._reset()
        elif rule.action in ("answer", "commit_then_answer"):
            self._finish(_prescribed(rule), entry)
        elif rule.action == "trickle":
            self._finish(answer, entry, byte_delay=rule.delay)
        else:
            if rule.action == "delay_answer":
                sandbox.pause(rule.delay)
            self._finish(answer, entry)

    def _finish(
        self, answer: Answer | None, entry: dict[str, Any], *, byte_delay: float = 0.0
    ) -> None:
        if answer is None:
            self.close_connection = True
            return
        entry["status"] = answer.status
        self._send(answer, request_id=entry["request_id"], byte_delay=byte_delay)

    def _send(self, answer: Answer, *, request_id: str = "", byte_delay: float = 0.0) -> None:
        reason = phrase_of(answer.status)
        headers = {"Server": "nginx", "Date": self._date()}
        if answer.status != 204:
            charset = "" if "charset" in answer.content_type else "; charset=utf-8"
            headers["Content-Type"] = f"{answer.content_type}{charset}"
            headers["Content-Length"] = str(len(answer.body))
        headers["X-Request-Id"] = request_id or uuid.uuid4().hex
        headers["Connection"] = "close" if self.close_connection else "keep-alive"
        headers.update(answer.headers)
        lines = [f"HTTP/1.1 {answer.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        whole = "\r\n".join([*lines, "", ""]).encode()
        if answer.status != 204 and self.command != "HEAD":
            whole += answer.body
        if not byte_delay:
            self.connection.sendall(whole)
            return
        for place in range(len(whole)):
            if self.sandbox.stopping.is_set():
                self.close_connection = True
                return
            self.connection.sendall(whole[place : place + 1])
            self.sandbox.pause(byte_delay)

    def _date(self) -> str:
        """By the account's clock, which is also that of its rows."""
        return self.date_time_string(self.sandbox.clock.stamp())

    def _reset(self) -> None:
        """Close so that the peer gets a RST, not a FIN."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def log_message(self, format: str, *args: Any) -> None:
        """What the base class would print goes to the log."""
        logger.debug(format, *args)


def _latency(settings: Settings, request: Request) -> float:
    """Seconds that the request takes before it is carried out, nobody else waiting for it."""
    rows = len(request.rows) if settings.latency_per_row else 0
    return settings.latency + rows * settings.latency_per_row


def _prescribed(rule: Rule) -> Answer:
    if rule.body is None:
        page = nginx_page(rule.status) if rule.status >= 500 else Answer(rule.status)
        return replace(page, content_type=rule.content_type or HTML, headers=dict(rule.headers))
    if isinstance(rule.body, str):
        kind = rule.content_type or HTML
        return Answer(rule.status, rule.body.encode(), kind, dict(rule.headers))
    made = as_json(rule.status, rule.body, content_type=rule.content_type or "application/json")
    made.headers = dict(rule.headers)
    return made
