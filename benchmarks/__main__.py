"""``python -m benchmarks`` (``make bench``): measure everything, print one table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time

from benchmarks.ground import ground
from benchmarks.table import Section, rendered


def main() -> int:
    """Run and print; the table goes to standard output, progress to standard error."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--burst", type=int, metavar="N", help="only a webinar of so many people")
    parser.add_argument("--within", type=float, default=180.0, metavar="S", help="seconds (180)")
    asked = parser.parse_args()
    started = time.monotonic()
    sections: list[Section] = []
    with ground() as place:
        # Only now: these need Django's settings.
        from benchmarks import burst, deliveries, guesses, intake, locks, pace, taking

        if asked.burst:
            _say(f"{asked.burst} people within {asked.within:g} s")
            print(rendered(burst.of_a_webinar(place, people=asked.burst, seconds=asked.within)))
            return 0
        _say("taking forms")
        sections += taking.beside_a_minimal_view(place)
        sections.append(taking.while_others_fail(place))
        _say("intake")
        sections.append(intake.among_slow_senders(place))
        sections.append(intake.into_sqlite())
        sections.append(guesses.beside_a_flood(place))
        _say("deliveries")
        sections.append(deliveries.per_second())
        sections.append(deliveries.requests_each(place))
        sections.append(deliveries.round_trips_each())
        _say("locks")
        sections.append(locks.one_lock())
        sections += locks.many_locks(place)
        _say("a webinar")
        sections += burst.of_a_webinar(place)
        _say("the pace, for two minutes")
        sections += pace.kept(place)
    print(rendered(sections))
    print(
        f"Measured in {time.monotonic() - started:.0f} s on {os.cpu_count()} CPUs,"
        f" Python {platform.python_version()}, {platform.system()}; Redis, the databases and"
        " the sandbox amoCRM on this machine."
    )
    return 0


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
