"""People who come all at once, in a process of their own.

`python -m benchmarks.crowd URL FIRST N S NAME`: so many within so many seconds, at an even pace
over a few connections. Everybody is somebody else, numbered from FIRST on; with another NAME the
same people send another form. What it prints is a JSON list of the seconds of each answer. It
fails unless everybody was answered with 202.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit

CONNECTIONS = 8


def main() -> None:
    """Post as the arguments say."""
    address, first, count, seconds, name = sys.argv[1:]
    taken: list[float] = []
    numbers = iter(range(int(count)))
    began, pace = time.monotonic(), float(seconds) / int(count)
    turn = threading.Lock()

    def send() -> None:
        url = urlsplit(address)
        connection = http.client.HTTPConnection(str(url.hostname), url.port)
        while True:
            with turn:  # who waits for the next moment waits for all
                number = next(numbers, None)
                if number is None:
                    return
                time.sleep(max(0.0, began + number * pace - time.monotonic()))
            taken.append(_posted(connection, int(first) + number, name))

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(taken) < int(count):  # an error ends a thread, and no other one
        sys.exit(f"{len(taken)} of {count} were accepted")
    print(json.dumps(taken))


def _posted(connection: http.client.HTTPConnection, number: int, name: str) -> float:
    body = {
        "name": "Test User",
        "email": f"person{number}@crowd.example",
        "phone": f"+7701{number:07d}",
        "source": name,
        "proftestAnswers": [{"questionNumber": 1, "question": "Что ближе?", "answer": name}],
        "utmParams": {"utm_source": "webinar"},
    }
    headers = {
        "Content-Type": "application/json",
        # Everybody has an address of their own, as people do whom advertisements send.
        "X-Forwarded-For": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
    }
    began = time.monotonic()
    connection.request("POST", "/api/landing/proftest", json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 202:
        raise RuntimeError(f"{answer.status} {text[:200]!r}")
    return time.monotonic() - began


if __name__ == "__main__":
    main()
