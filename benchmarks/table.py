"""The table: what was measured, beside what it is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEADINGS = ("", "measured", "ratio", "compared with")
_GAP = "  "


@dataclass(frozen=True)
class Row:
    """One line. ``ratio`` is this figure divided by that of ``baseline``, the name of another
    line; a line without one is itself a baseline. ``note`` follows the figure."""

    name: str
    figure: float
    unit: str
    ratio: float | None = None
    baseline: str = ""
    note: str = ""

    def against(self, baseline: Row) -> Row:
        """The same line compared with ``baseline``, which has the same unit."""
        if self.unit != baseline.unit:
            raise ValueError(f"{self.unit} cannot be compared with {baseline.unit}")
        ratio = self.figure / baseline.figure if baseline.figure else None
        return Row(self.name, self.figure, self.unit, ratio, baseline.name, self.note)


@dataclass(frozen=True)
class Section:
    """Lines that belong together."""

    title: str
    rows: Sequence[Row]


def milliseconds(name: str, seconds: float, *, note: str = "") -> Row:
    """A line for a duration."""
    return Row(name, seconds * 1000, "ms", note=note)


def rendered(sections: Iterable[Section]) -> str:
    """The whole table as text."""
    lines: list[tuple[str, ...]] = [HEADINGS]
    for section in sections:
        lines += [(), (section.title,)]
        lines += [_cells(row) for row in section.rows]
    widths = [max(len(line[at]) for line in lines if len(line) > 1) for at in range(len(HEADINGS))]
    return "".join(f"{_line(line, widths)}\n" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    figure = f"{_number(row.figure)} {row.unit}" + (f" ({row.note})" if row.note else "")
    ratio = "" if row.ratio is None else f"{_number(row.ratio)}×"
    return (f"  {row.name}", figure, ratio, row.baseline or "baseline")


def _line(cells: tuple[str, ...], widths: Sequence[int]) -> str:
    if len(cells) < len(widths):
        return "".join(cells)
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
