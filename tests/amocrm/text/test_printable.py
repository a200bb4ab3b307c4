"""What a text may hold where it is typed, and what is left of it where we write it."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest

from amocrm.text.printable import (
    escaped,
    is_printable,
    is_visible_ascii,
    one_line,
    readable,
    shortened,
)

EVERYTHING = [chr(code) for code in range(sys.maxunicode + 1)]
DIRECTION_MARKS = "\u061c\u200e\u200f\u202a\u202e\u2066\u2069"
INVISIBLE = f"{DIRECTION_MARKS}\u200b\u2060\ufeff"
FAMILY = "👨\u200d👩\u200d👧"  # three people and the joiners between them


def test_what_is_typed_is_refused_for_control_characters_alone() -> None:
    refused = {char for char in EVERYTHING if not is_printable(char)}
    assert refused == {
        char for char in EVERYTHING if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
    }
    in_lines = {char for char in EVERYTHING if not is_printable(char, lines=True)}
    assert refused - in_lines == {"\n", "\r", "\t"}
    assert is_printable(f"\u202a+7 777 111 22 33\u202c {FAMILY}")
    assert is_printable("")


@pytest.mark.parametrize("write", [readable, one_line, escaped])
def test_no_text_of_ours_holds_what_nobody_can_read(write: object) -> None:
    assert callable(write)
    bad = {char for char in EVERYTHING if not is_printable(char)} | set(INVISIBLE)
    kept = {char for char in bad if char in write(f"a{char}b")}
    assert kept == ({"\n", "\t"} if write is readable else set())
    assert write(f"Анна {FAMILY} co\u00adop") == f"Анна {FAMILY} co\u00adop"


def test_a_readable_text_keeps_its_lines() -> None:
    assert readable("a\r\nb\rc\vd\fe\x85f\u2028g\u2029h\ni\tj") == "a\nb\nc\nd\ne\nf\ng\nh\ni\tj"
    assert readable("a\x00b\u202ec\ud800d") == "a b c d"


def test_one_line_is_one_line() -> None:
    assert one_line("  a\r\n\tb\u2028\x00 c\u200e\u00a0d ") == "a b c d"


def test_what_is_escaped_can_be_seen() -> None:
    assert escaped("a\r\n\tb\x1b\u202e\ud800") == r"a\r\n\tb\u001b\u202e\ud800"


def test_a_header_takes_ascii_without_blanks() -> None:
    assert is_visible_ascii("eyJ0eXAiOiJKV1QifQ.e30.a-b_c")
    for text in ("", " token", "token\n", "to ken", "токен", "a\x7f"):
        assert not is_visible_ascii(text)


def test_a_long_text_is_shortened_with_a_sign() -> None:
    assert shortened("abcd", 4) == "abcd"
    assert shortened("abcde", 4) == "abc…"


def test_the_package_needs_no_django() -> None:
    code = "import sys, amocrm.text.printable, amocrm.text.masking; print('django' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
