"""The web server as it is started: what of a request it believes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.chaos.children import listens
from tests.servers import end_with_parent, free_port
from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
FORM = {"name": "Test User", "phone": "+77771112233"}


@pytest.fixture
def site(process_environment: dict[str, str]) -> Iterator[str]:
    """A web server of this test's own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "config.wsgi"],
        cwd=PROJECT,
        env={**process_environment, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_parent(),
    )
    try:
        wait_until(lambda: listens(port), "the web server listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "Script-Name", "PATH_INFO"])
def test_nobody_says_where_the_service_lies(site: str, header: str) -> None:
    moved = {header: "/pub"}
    page = requests.get(f"{site}/pub/admin/login/", headers=moved, timeout=30)
    assert page.status_code == 404
    answer = requests.post(f"{site}/api/landing/submit", json=FORM, headers=moved, timeout=30)
    assert answer.json()["statusUrl"].startswith(f"{site}/api/landing/submissions/")


def test_a_form_comes_in_every_encoding(site: str) -> None:
    url = f"{site}/api/landing/submit"
    text = {"Content-Type": "text/plain;charset=UTF-8"}
    files = {"cv": ("cv.pdf", b"x" * 5_000_000)}
    answers = [
        requests.post(url, data=FORM, timeout=30),
        requests.post(url, data=json.dumps(FORM), headers=text, timeout=30),
        requests.post(url, data=json.dumps(FORM), timeout=30),
        requests.post(url, data=FORM, files=files, timeout=30),
        requests.post(url, data={"fields[name][value]": "A", **FORM}, timeout=30),
        requests.post(url, data={"test": "test"}, timeout=30),
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 202, 200, 200]
    too_big = requests.post(url, files={"cv": ("cv.pdf", b"x" * 9_000_000)}, timeout=30)
    assert too_big.status_code == 413
    assert requests.post(url, json=FORM, timeout=30).status_code == 202
