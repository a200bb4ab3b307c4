"""The web server as it is started: what of a request it believes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.db import connection

from tests.config.conftest import Web

FORM = {"name": "Test User", "phone": "+77771112233"}


@pytest.mark.parametrize("header", ["SCRIPT_NAME", "Script-Name", "PATH_INFO"])
def test_nobody_says_where_the_service_lies(web: Web, header: str) -> None:
    moved = {header: "/pub"}
    page = requests.get(f"{web.site}/pub/admin/login/", headers=moved, timeout=30)
    assert page.status_code == 404
    answer = requests.post(f"{web.site}/api/landing/submit", json=FORM, headers=moved, timeout=30)
    assert answer.json()["statusUrl"].startswith(f"{web.site}/api/landing/submissions/")


def test_a_form_in_chunks_is_taken(web: Web) -> None:
    chunks = iter([b'{"name": "Test User", ', b'"phone": "+77771112233"}'])
    headers = {"Content-Type": "application/json"}
    url = f"{web.site}/api/landing/submit"
    assert requests.post(url, data=chunks, headers=headers, timeout=30).status_code == 202


def test_a_form_comes_in_every_encoding(web: Web) -> None:
    url = f"{web.site}/api/landing/submit"
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


@pytest.mark.both_databases
def test_forms_are_taken_after_the_database_has_dropped_every_connection(web: Web) -> None:
    """Connections are kept between requests; PostgreSQL drops them when it is started anew."""

    def statuses(first: int) -> set[int]:
        url = f"{web.site}/api/landing/submit"
        with ThreadPoolExecutor(16) as pool:  # as many as answer, all their connections are used
            bodies = (FORM | {"name": f"Test User {number}"} for number in range(first, first + 48))
            answers = pool.map(lambda body: requests.post(url, json=body, timeout=30), bodies)
            return {answer.status_code for answer in answers}

    assert statuses(0) == {202}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone()[0] > 1
    assert statuses(100) == {202}
