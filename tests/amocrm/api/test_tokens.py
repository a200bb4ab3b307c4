"""The access token: what can be one, until when it is good, and that nobody ever sees it."""

from __future__ import annotations

import base64
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from amocrm import conf
from amocrm.api.client import connect
from amocrm.api.tokens import LongLivedToken, expires_at
from amocrm.diagnostics.checks import check_settings
from amocrm.errors import AmoError
from amocrm.models import AccountState
from amocrm.sandbox.server import RunningSandbox
from tests.amocrm.api.raw_server import serving
from tests.amocrm.clients import READS, WRITES
from tests.servers import free_port


def jwt(claims: Any) -> str:
    """A token as amoCRM makes them; nobody checks its signature but amoCRM."""
    parts = ({"typ": "JWT", "alg": "RS256"}, claims)
    coded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join((*(part.rstrip("=") for part in coded), "c2lnbmF0dXJl"))


@pytest.mark.parametrize(
    "token",
    ["", "   ", " padded", "padded ", "line\nbreak", "два", "in side", "tab\t", "\x7f", "a\0b"],
)
def test_what_cannot_be_a_token_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="the access token") as raised:
        LongLivedToken(token)
    assert not token.strip() or token.strip() not in str(raised.value)


def test_the_end_is_read_from_the_token_itself() -> None:
    end = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert LongLivedToken(jwt({"exp": int(end.timestamp())})).expires_at() == end


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "two.parts",
        "a.b.c",
        "a.!!!.c",
        jwt({}),
        jwt([]),
        jwt("x"),
        jwt({"exp": None}),
        jwt({"exp": "soon"}),
        jwt({"exp": 10**30}),
        jwt({"exp": float("inf")}),
        f"a.{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.c",
    ],
    ids=[str(number) for number in range(12)],
)
def test_a_token_that_does_not_say_ends_nobody_knows_when(token: str) -> None:
    assert LongLivedToken(token).expires_at() is None


def test_a_token_that_cannot_be_one_has_no_end(settings: Settings) -> None:
    settings.AMOCRM_ACCESS_TOKEN = "не токен"
    assert expires_at() is None


# --- nobody ever sees it -----------------------------------------------------------------------

SECRET = jwt({"exp": 1_790_000_000, "secret": "a-secret-that-nobody-sees"})


def test_neither_printing_nor_storing_a_token_shows_it(settings: Settings) -> None:
    settings.AMOCRM_ACCESS_TOKEN = SECRET
    token = LongLivedToken(SECRET)
    shown = [repr(token), str(token), f"{token}", repr(conf.current()), str(conf.current())]
    assert not any(SECRET in text for text in shown)
    with pytest.raises(TypeError):
        pickle.dumps(token)
    with pytest.raises(TypeError):
        vars(token)


class Everything(logging.Handler):
    """All that is logged by anybody, formatted, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = io.StringIO()
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.text.write(self.format(record) + repr(vars(record)) + "\n")


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> Any:
    handler = Everything()
    root = logging.getLogger()
    monkeypatch.setattr(root, "level", logging.DEBUG)
    root.addHandler(handler)
    yield handler.text
    root.removeHandler(handler)


FAILURES: dict[str, Callable[[RunningSandbox], str | None]] = {
    "nothing": lambda sandbox: None,
    "revoked": lambda sandbox: void(sandbox.control.config(revoked_tokens=["*"])),
    "unpaid": lambda sandbox: void(answer(sandbox, 402, {"detail": "x"})),
    "scope": lambda sandbox: void(answer(sandbox, 403, {"detail": "Invalid scope"})),
    "blocked": lambda sandbox: void(answer(sandbox, 403, "<html>")),
    "too fast": lambda sandbox: void(answer(sandbox, 429, "<html>")),
    "invalid": lambda sandbox: void(answer(sandbox, 400, {"validation-errors": []})),
    "broken": lambda sandbox: void(answer(sandbox, 502, "<html>")),
    "echo": lambda sandbox: void(answer(sandbox, 500, {"detail": "no echo of the header"})),
    "echo of the request": lambda sandbox: void(
        answer(sandbox, 401, f"<html>Authorization: Bearer {SECRET} was refused</html>")
    ),
    "echo in JSON": lambda sandbox: void(answer(sandbox, 400, {"detail": f"Bearer {SECRET}"})),
    "unreadable": lambda sandbox: void(answer(sandbox, 200, "<html>")),
    "redirect": lambda sandbox: void(answer(sandbox, 302, "")),
    "lost": lambda sandbox: void(sandbox.control.fault("lose_answer", times=-1)),
    "reset": lambda sandbox: void(sandbox.control.fault("reset", times=-1)),
    "slow": lambda sandbox: void(sandbox.control.fault("delay", times=-1, delay=0.5)),
    "refused": lambda sandbox: f"http://127.0.0.1:{free_port()}",
    "no host": lambda sandbox: "http://no-such-host.invalid",
    "no URL": lambda sandbox: "http://",
    "no scheme": lambda sandbox: "gopher://127.0.0.1",
}


def void(_: object) -> None:
    return None


def answer(sandbox: RunningSandbox, status: int, body: Any) -> int:
    return sandbox.control.fault("answer", times=-1, status=status, body=body)


@pytest.mark.django_db
@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_shows_the_token(
    sandbox: RunningSandbox, settings: Settings, everything: io.StringIO, failure: str
) -> None:
    settings.AMOCRM_ACCESS_TOKEN = SECRET
    settings.AMOCRM_TIMEOUT = 0.3
    settings.AMOCRM_BASE_URL = FAILURES[failure](sandbox) or sandbox.url
    shown = []
    for call in (*READS.values(), *WRITES.values()):
        AccountState.objects.all().delete()
        try:
            with connect(conf.current()) as client:
                shown.append(repr(client) + repr(call(client)))
        except AmoError as error:
            shown += [str(error), repr(error), repr(vars(error)), traceback.format_exc()]
    shown += [str(list(AccountState.objects.values())), everything.getvalue()]
    assert len(shown) > 10
    assert [text for text in shown if SECRET in text or "a-secret-that" in text] == []


@pytest.mark.django_db
def test_a_failed_handshake_shows_no_token(settings: Settings, everything: io.StringIO) -> None:
    settings.AMOCRM_ACCESS_TOKEN = SECRET
    with serving(lambda connection: connection.sendall(b"no TLS")) as url:
        settings.AMOCRM_BASE_URL = url.replace("http", "https")
        with pytest.raises(AmoError) as raised, connect(conf.current()) as client:
            client.account()
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert SECRET not in everything.getvalue()


@pytest.mark.django_db
def test_checks_and_commands_do_not_show_the_token(
    sandbox: RunningSandbox, settings: Settings, everything: io.StringIO
) -> None:
    settings.AMOCRM_ACCESS_TOKEN = SECRET
    sandbox.control.config(revoked_tokens=["*"])
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("amocrm_check", "--json", stdout=out, stderr=out)
    settings.AMOCRM_ACCESS_TOKEN = f"{SECRET} "
    with pytest.raises(SystemExit):
        call_command("amocrm_check", stdout=out, stderr=out)
    shown = out.getvalue() + str(check_settings()) + everything.getvalue()
    assert SECRET not in shown
