"""``python -m tests.chaos`` (``make chaos``): the long run, and its table."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.chaos import population
from tests.chaos.report import table
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.chaos.storm import Outcome, Storm


def main() -> int:
    """Run as asked; 0 if nothing was doubled or lost and nothing else was found."""
    wanted = _options().parse_args()
    if wanted.real_limits:
        # The limits of a real account; what breaks is the CRM and not the counting of requests.
        scale = Scale(timeout=3, lock_ttl=15, lock_wait=2, settle=15, max_rps=5)
        index_lag, rps = 10.0, 7
    elif wanted.burst:
        # A worker is frozen for less time than others wait for the database that it may hold.
        scale = Scale(timeout=3, lock_ttl=7, lock_wait=2, settle=20, max_rps=5)
        index_lag, rps = wanted.index_lag, 7
    else:
        scale = Scale.with_skew(wanted.skew, timeout=wanted.timeout)
        index_lag, rps = wanted.index_lag, 0
    stack = Stack(
        scale,
        database=wanted.database,
        redis=wanted.redis,
        workers=wanted.workers,
        index_lag=index_lag,
        rps=rps,
        template=wanted.template,
    )
    say(f"seed {wanted.seed}; logs in {stack.folder}")
    with stack:
        if wanted.burst:
            stack.control.config(
                shuffle_answers=True, is_api_filter_enabled=True, latency=0.1, partial_400=True
            )
        storm = Storm(
            stack,
            population.plan(wanted.submissions, wanted.seed),
            faults=wanted.faults,
            seed=wanted.seed,
            seconds=60 * wanted.minutes,
            backlog=wanted.submissions if wanted.burst else wanted.backlog,
            only_crm=wanted.real_limits,
            progress=say,
            # A burst finds a mirror, as on any day but the first.
            planted=lambda: wanted.burst and stack.manage("find_duplicate_leads"),
        )
        outcome = storm.run()
        is_clean = outcome.verdict.is_clean and not (
            _throttled(outcome, rps) and wanted.real_limits
        )
        stack.keep_folder = not is_clean
    sys.stdout.write(table(outcome))
    if not is_clean:
        sys.stdout.write(f"The logs and the database stay in {stack.folder}\n")
    return 0 if is_clean else 1


def _throttled(outcome: Outcome, rps: int) -> bool:
    return bool(rps and outcome.requests["answers_429"])


def say(line: str) -> None:
    """One line of progress."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--faults", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument(
        "--redis",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="--no-redis: REDIS_ENABLED=false, several deliver_leads --watch",
    )
    parser.add_argument("--minutes", type=float, default=120, help="give up after so many")
    parser.add_argument("--workers", type=int, default=4, help="worker processes")
    parser.add_argument("--backlog", type=int, default=200, help="undelivered forms at most")
    parser.add_argument("--index-lag", type=float, default=2, metavar="S")
    parser.add_argument("--timeout", type=float, default=2, metavar="S", help="AMOCRM_TIMEOUT")
    parser.add_argument(
        "--skew", type=float, default=-120, metavar="S", help="how far one worker's clock is off"
    )
    parser.add_argument(
        "--template", type=Path, metavar="FILE", help="a prepared SQLite file to begin with"
    )
    parser.add_argument(
        "--burst",
        action="store_true",
        help="all forms at once, 7 requests a second, AMOCRM_MAX_RPS=5, a CRM that answers batches"
        " in another order and refuses them in part (--submissions 3000 --faults 60 --workers 2)",
    )
    parser.add_argument(
        "--real-limits",
        action="store_true",
        help="7 requests a second, AMOCRM_MAX_RPS=5, index lag 10 s, only the CRM misbehaves:"
        " no 429 may be ours (with --submissions 500 about ten minutes)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
