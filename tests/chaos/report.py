"""The table of a run."""

from __future__ import annotations

from collections.abc import Iterable

from tests.chaos.storm import Outcome

_MOST_FINDINGS = 40


def table(outcome: Outcome) -> str:
    """Faults by kind, then what became of the submissions."""
    verdict = outcome.verdict
    requests = outcome.requests
    counts = requests.get("counts", {})
    lines = ["", "Faults", *_rows(sorted(outcome.faults.items()))]
    lines += _rows([("all of them", outcome.faults.total())])
    lines += ["", "What the service noticed", *_rows(sorted(outcome.events.items()))]
    lines += [
        "",
        "Result",
        *_rows(
            [
                ("submissions", verdict.submissions),
                ("people", verdict.people),
                ("leads", verdict.leads),
                ("requests to the CRM", requests.get("total", 0)),
                ("requests that make leads", counts.get("POST /api/v4/leads/complex", 0)),
                ("most requests in a second", requests.get("max_per_second", 0)),
                ("429 by the CRM's own count", requests.get("answers_429", 0)),
                ("forms posted again by the page", outcome.repeated_posts),
                ("retries pulled forward", outcome.hurried),
                ("seconds", round(outcome.seconds)),
                ("longest time to delivery, s", round(outcome.longest)),
                ("duplicates", verdict.duplicates),
                ("lost", verdict.lost),
                ("notes doubled", verdict.notes_doubled),
            ]
        ),
        "",
    ]
    lines += [f"⚠ {finding}" for finding in verdict.findings[:_MOST_FINDINGS]]
    if len(verdict.findings) > _MOST_FINDINGS:
        lines.append(f"⚠ and {len(verdict.findings) - _MOST_FINDINGS} findings more")
    return "\n".join(lines) + "\n"


def _rows(pairs: Iterable[tuple[str, int]]) -> list[str]:
    return [f"  {name:<42}{number:>9}" for name, number in pairs]
