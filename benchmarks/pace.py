"""The limit: whether processes keep the pace together, by the sandbox's own count."""

from __future__ import annotations

from benchmarks.ground import Ground
from benchmarks.table import Row, Section
from tests.amocrm.api.limited_run import run_processes

PROCESSES = 4
SECONDS = 60.0
PACES = (5, 7)  # the default, and the most that a real account may be given


def kept(place: Ground) -> list[Section]:
    """Four processes that always have something to send, for a minute at each pace."""
    return [_kept(place, rps) for rps in PACES]


def _kept(place: Ground, rps: int) -> Section:
    place.control.reset()
    seen = run_processes(place.control, count=PROCESSES, seconds=SECONDS, AMOCRM_MAX_RPS=str(rps))
    most = seen.counted["max_per_second"]
    told = Row(f"AMOCRM_MAX_RPS={rps}", rps, "a second")
    sent = Row(
        "requests that the sandbox counted", seen.pace, "a second", note=f"at most {most} in any"
    )
    title = f"The pace of {PROCESSES} processes: over {SECONDS:g} s"
    return Section(title, [told, sent.against(told)])
