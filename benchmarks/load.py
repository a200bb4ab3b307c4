"""Senders in a process of their own: `python -m benchmarks.load http://127.0.0.1:3000/… 2`.

Eight connections that are kept, each of which posts one form after another, everybody new. What
it prints is one JSON list: the seconds of each answer.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from urllib.parse import urlsplit

CONNECTIONS = 8


def main() -> None:
    """Post to the address of the first argument for the seconds of the second one."""
    address, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(_post_for(address, float(seconds)))))


async def _post_for(address: str, seconds: float) -> list[float]:
    end = time.perf_counter() + seconds
    senders = (_sender(address, end) for _ in range(CONNECTIONS))
    return [taken for each in await asyncio.gather(*senders) for taken in each]


async def _sender(address: str, end: float) -> list[float]:
    url = urlsplit(address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    taken = []
    while (began := time.perf_counter()) < end:
        writer.write(_request(url.path))
        await _accepted(reader)
        taken.append(time.perf_counter() - began)
    writer.close()
    return taken


def _request(path: str) -> bytes:
    number = secrets.randbelow(10**7)
    body = {
        "name": "Test User",
        "email": f"{secrets.token_hex(8)}@bench.example",
        "phone": f"+7701{number:07d}",
        "source": "proftest_main",
        "proftestAnswers": [{"questionNumber": 1, "question": "Что ближе?", "answer": "Числа"}],
        "campaignSlug": "autumn",
        "utmParams": {"utm_source": "google", "gclid": "abc"},
        "metadata": {"page": "/test"},
    }
    sent = json.dumps(body).encode()
    # Everybody has an address of their own, as people do whom advertisements send.
    sender = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(sent)}",
        f"X-Forwarded-For: {sender}",
    )
    return "\r\n".join((*lines, "", "")).encode() + sent


async def _accepted(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.splitlines()
        if line.lower().startswith(b"content-length:")
    )
    body = await reader.readexactly(length)
    if b" 202 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(f"{head!r} {body[:200]!r}")


if __name__ == "__main__":
    main()
