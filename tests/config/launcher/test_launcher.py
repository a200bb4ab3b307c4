"""`python -m config.launcher run` in a copy of the project whose path has a space: everything
from nothing, in the foreground, and nothing afterwards."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import time
from unittest import mock

import pytest
import requests

from config.launcher.__main__ import main
from tests.project_copy import Copy


def test_everything_from_nothing_and_nothing_afterwards(copy: Copy) -> None:
    begun = time.monotonic()
    popen = copy.start_and_wait()
    from_nothing = time.monotonic() - begun
    first = copy.output
    env_file = copy.folder / "env.env"
    assert env_file.stat().st_mode & 0o777 == 0o600
    key = re.search(r"(?m)^SECRET_KEY=(.+)$", env_file.read_text())
    assert key
    assert len(key[1]) > 50
    password = re.search(r"password +(\S+)", first)
    token = re.search(r"API token +([0-9a-f]{40})", first)
    assert password
    assert token
    assert f'"Authorization: Token {token[1]}" http://localhost:{copy.port}' in first

    address = f"http://127.0.0.1:{copy.port}/api/admin/amocrm-locks/status"
    assert requests.get(address, timeout=10).json()["system"]["redis_connected"] is True
    log = (copy.folder / "var" / "run.log").read_text(encoding="utf-8")
    assert "worker  |" in log
    for secret in (password[1], token[1], key[1]):
        assert secret not in log

    popen.send_signal(signal.SIGINT)
    assert popen.wait(30) == 0
    assert copy.nothing_runs()

    # Again: at once, with the same people, and killed so that it cannot tidy up.
    begun = time.monotonic()
    popen = copy.start_and_wait()
    assert time.monotonic() - begun < max(20, from_nothing)
    assert "password " not in copy.output
    assert token[1] in copy.output
    popen.kill()
    popen.wait()
    assert copy.nothing_runs()


def test_without_redis_one_command_delivers(copy: Copy) -> None:
    popen = copy.start_and_wait(REDIS_ENABLED="false")
    commands = [" ".join(process.cmdline()) for process in copy.processes()]
    assert any("deliver_leads --watch 1" in command for command in commands)
    assert not any("redis-server" in command or "celery" in command for command in commands)
    popen.send_signal(signal.SIGTERM)
    assert popen.wait(30) == 0
    assert copy.nothing_runs()


def test_a_busy_port_is_a_sentence_before_anything_is_started(copy: Copy) -> None:
    with socket.create_server(("127.0.0.1", copy.port)):
        assert copy.start().wait(30) == 1
    assert re.fullmatch(
        rf"Configuration: PORT is {copy.port}, and another program listens there: .+\.\n",
        copy.output,
    )
    assert not (copy.folder / "var" / "db.sqlite3").exists()


def test_something_else_in_the_place_of_redis_is_a_sentence(copy: Copy) -> None:
    port = int(copy.env["REDIS_URL"].split(":")[2].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        assert copy.start().wait(30) == 1
    assert "is not a working Redis" in copy.output
    assert "Traceback" not in copy.output


@pytest.mark.parametrize("blocked", ["var", "var/run.log"])
def test_what_cannot_be_written_is_a_sentence(copy: Copy, blocked: str) -> None:
    """As after a start by another user; something that root cannot write either stands in."""
    path = copy.folder / blocked
    path.parent.mkdir(exist_ok=True)
    if blocked == "var":
        path.write_text("a file where a folder should be")
    else:
        path.mkdir()
    assert copy.start().wait(60) == 1
    assert re.search(r"^Configuration: .*" + blocked + r".*\.$", copy.output, re.MULTILINE)
    assert "Traceback" not in copy.output


def test_a_file_system_without_writing_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    read_only = OSError(errno.EROFS, os.strerror(errno.EROFS), "var/run.log")
    monkeypatch.setattr("config.launcher.env_file.ensure", mock.Mock(side_effect=read_only))
    monkeypatch.setattr("sys.argv", ["launcher", "run"])
    with pytest.raises(SystemExit, match=r"^Configuration: var/run\.log cannot be written \(Read-"):
        main()


def test_an_error_that_names_no_file_says_all_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ConnectionResetError(errno.ECONNRESET, "reset by peer")
    monkeypatch.setattr("config.launcher.env_file.ensure", mock.Mock(side_effect=broken))
    monkeypatch.setattr("sys.argv", ["launcher", "run"])
    with pytest.raises(ConnectionResetError):
        main()


def test_two_servers_at_one_port_are_a_sentence(copy: Copy) -> None:
    crm = f"http://127.0.0.1:{copy.env['REDIS_URL'].split(':')[2].split('/')[0]}"
    for changes in ({"PORT": crm.rpartition(":")[2]}, {"AMOCRM_BASE_URL": crm}):
        assert copy.start(**changes).wait(30) == 1
        assert re.fullmatch(
            r"Configuration: (PORT|AMOCRM_BASE_URL) and REDIS_URL both name port \d+: .+\.\n",
            copy.output,
        )


def test_the_sandbox_listens_where_the_service_asks(copy: Copy) -> None:
    url = copy.env["AMOCRM_BASE_URL"].replace("127.0.0.1", "[::1]")
    popen = copy.start_and_wait(AMOCRM_BASE_URL=url)
    assert requests.get(url, timeout=5).status_code == 200
    popen.send_signal(signal.SIGTERM)
    assert popen.wait(30) == 0


def test_the_preparation_alone_starts_nothing(copy: Copy) -> None:
    assert copy.start("install").wait(60) == 0
    assert (copy.folder / "var" / "db.sqlite3").exists()
    assert "API token" in copy.output
    assert copy.nothing_runs()


def test_an_env_file_of_ones_own_is_left_alone(copy: Copy) -> None:
    mine = (copy.folder / "env.env.example").read_text().replace("SECRET_KEY=", "SECRET_KEY=mine")
    (copy.folder / "env.env").write_text(mine)
    assert copy.start("install").wait(60) == 0
    assert (copy.folder / "env.env").read_text() == mine
