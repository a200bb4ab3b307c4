"""Starting, stopping, and refusing to start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from amocrm.sandbox.account.seed import FIRST_LEAD_ID
from amocrm.sandbox.cli import id_shift
from amocrm.sandbox.server import NotLoopback, require_loopback, start
from tests.amocrm.sandbox.conftest import Crm

TOKEN = {"Authorization": "Bearer x"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def program(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``python -m amocrm.sandbox`` with these options, once its port is open."""
    port = free_port()
    command = [sys.executable, "-m", "amocrm.sandbox", "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert str(port) in process.stdout.readline()
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "amocrm.sandbox", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_two_sandboxes_of_one_process_know_nothing_of_each_other() -> None:
    with start(rps=0) as one, start(rps=0) as two:
        first, second = Crm(one), Crm(two)
        first.add_contact()
        assert second.get("contacts").status_code == 204
        first.session.close()
        second.session.close()


def test_stopping_frees_the_port_and_cuts_connections_at_once() -> None:
    running = start(rps=0)
    session = requests.Session()
    session.get(f"{running.url}/api/v4/account", headers=TOKEN, timeout=10)
    running.control.fault("delay", delay=60, times=-1)
    began = time.monotonic()
    running.stop()
    running.stop()
    assert time.monotonic() - began < 30
    with pytest.raises(requests.ConnectionError):
        session.get(f"{running.url}/api/v4/account", headers=TOKEN, timeout=10)
    session.close()
    with start(port=running.port) as again:
        assert again.port == running.port


def test_one_connection_serves_many_requests(crm: Crm) -> None:
    with socket.create_connection((crm.url.split("/")[2].split(":")[0], crm.running.port)) as raw:
        reader = raw.makefile("rb")
        for _ in range(3):
            raw.sendall(
                b"GET /api/v4/account HTTP/1.1\r\nHost: localhost\r\n"
                b"Authorization: Bearer x\r\n\r\n"
            )
            assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            while (line := reader.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            assert reader.read(length).endswith(b"}")
        reader.close()


def test_an_oversized_or_chunked_body_is_refused(crm: Crm) -> None:
    answer = requests.post(f"{crm.url}/api/v4/leads", data=iter([b"[]"]), headers=TOKEN, timeout=10)
    assert answer.status_code == 413
    huge = {**TOKEN, "Content-Length": str(10**9)}
    assert requests.post(f"{crm.url}/api/v4/leads", headers=huge, timeout=10).status_code == 413


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_is_accepted(host: str) -> None:
    require_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])  # noqa: S104
def test_anything_but_loopback_is_refused(host: str) -> None:
    with pytest.raises(NotLoopback, match="loopback only"):
        start(host=host)


def test_a_wrong_setting_does_not_start() -> None:
    with pytest.raises(ValueError, match="index_leg"):
        start(index_leg=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_program_at_once_whatever_it_is_doing(number: signal.Signals) -> None:
    with program("--rps", "0") as (process, url):
        requests.post(
            f"{url}/_sandbox/faults",
            json={"action": "apply_late", "delay": 60, "hold": True, "times": -1},
            timeout=10,
        )
        with pytest.raises(requests.Timeout):
            requests.get(f"{url}/api/v4/account", headers=TOKEN, timeout=0.2)
        process.send_signal(number)
        assert process.wait(30) == 0


def test_the_program_takes_lag_and_rate_from_its_options() -> None:
    with program("--rps", "3", "--index-lag", "5.5") as (_, url):
        config = requests.get(f"{url}/_sandbox/config", timeout=10).json()
        assert (config["rps"], config["index_lag"]) == (3, 5.5)


def test_a_restarted_program_does_not_hand_out_the_ids_of_the_last_one() -> None:
    noon = 1_800_000_000.0
    assert id_shift(noon + 60) > id_shift(noon) > 0
    with program("--rps", "0") as (_, url):
        answer = requests.post(f"{url}/api/v4/leads/complex", json=[{}], headers=TOKEN, timeout=10)
        assert answer.json()[0]["id"] > FIRST_LEAD_ID


def test_a_busy_port_is_one_sentence_and_status_one() -> None:
    with start() as running:
        ended = run("--port", str(running.port))
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert str(running.port) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_host_than_loopback_is_one_sentence_and_status_one() -> None:
    ended = run("--host", "0.0.0.0", "--port", str(free_port()))  # noqa: S104
    assert ended.returncode == 1
    assert "loopback only" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "options", [("--port", "0"), ("--port", "x"), ("--index-lag", "-1"), ("--rps", "1.5")]
)
def test_a_wrong_option_is_refused(options: tuple[str, ...]) -> None:
    ended = run(*options)
    assert ended.returncode == 2
    assert options[0] in ended.stderr


def test_the_sandbox_runs_without_django() -> None:
    code = (
        "import sys, amocrm.sandbox.__main__, amocrm.sandbox.server; "
        "sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
