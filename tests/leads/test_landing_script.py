"""The script for landing pages is a few kilobytes: tests/browser/test_landing.py runs it."""

from __future__ import annotations

import gzip
from pathlib import Path

from django.contrib.staticfiles import finders


def test_it_is_small() -> None:
    path = finders.find("leads/landing.js")
    assert isinstance(path, str)
    script = Path(path).read_bytes()
    assert len(script) <= 15 * 1024 + 512
    assert len(gzip.compress(script)) <= 6 * 1024
