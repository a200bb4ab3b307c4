"""The lock's value: who holds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amocrm.locks.holder import Holder, decode

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
MOMENTS = st.integers(0, 4_000_000_000_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(host=TEXTS.filter(bool), pid=st.integers(0, 999_999_999), reference=TEXTS, at=MOMENTS)
def test_a_holder_survives_the_round_trip_through_ascii(
    host: str, pid: int, reference: str, at: datetime
) -> None:
    holder = Holder(host, pid, reference, at, "0123456789abcdef")
    value = holder.encode()
    assert value.isascii()
    assert value.isprintable()
    assert decode(value) == holder
    assert decode(value.encode()) == holder


def test_two_acquisitions_never_have_the_same_value() -> None:
    values = {Holder.here("the same submission").encode() for _ in range(1000)}
    assert len(values) == 1000


@given(st.binary(max_size=200))
def test_other_bytes_are_nobody(value: bytes) -> None:
    assert decode(value) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1",
        b"host/1/ref/2026-11-23T02:00:00.000000Z",
        b"host/1/ref/2026-11-23T02:00:00.000000Z/0123456789abcdef/more",
        b"host/x/ref/2026-11-23T02:00:00.000000Z/0123456789abcdef",
        b"host/1/ref/2026-13-45T02:00:00.000000Z/0123456789abcdef",
        b"host/1/ref/2026-11-23T02:00:00.000000Z/nonce",
        b"host/1/%ff/2026-11-23T02:00:00.000000Z/0123456789abcdef",
        "host/\u0661/ref/2026-11-23T02:00:00.000000Z/0123456789abcdef".encode(),
        b"/1/ref/2026-11-23T02:00:00.000000Z/0123456789abcdef",
        b"host/1/ref/9999-12-31T23:59:59.000000Z/0123456789abcdef",
        b"5BLPeIdAxVnHEYlCi9wpYTS3",
    ],
)
def test_what_only_resembles_a_holder_is_nobody(value: bytes) -> None:
    assert decode(value) is None
