"""Rows by size → the part of docs/performance.md that `make bench` writes: a table of all, a plot of each figure. Pure.

The plots are Mermaid's, which is text: they show where Markdown is shown, and a change of a figure changes a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.bench.measuring import Row, shown_size

BEGIN: Final = "<!-- made by make bench: begin -->\n"
END: Final = "<!-- made by make bench: end -->\n"
Columns = Mapping[int, Sequence[Row]]


def shown(row: Row) -> str:
    """`1,234` or `0.38 ms`."""
    text = f"{row.value:,.0f}" if row.value >= 1000 else f"{row.value:.3g}"
    return f"{text} {row.unit}".strip()


def goal(row: Row) -> str:
    """`≤ 5 ms`, or nothing."""
    if row.goal is None:
        return ""
    sign = "≥" if row.better == "more" else "≤"
    return f"{sign} {row.goal:,g} {row.unit}".strip()


def by_row(columns: Columns) -> Iterator[tuple[Row, dict[int, Row]]]:
    """Each row of the first size, and the same of every size that has it."""
    for first in next(iter(columns.values())):
        found = {size: one for size, rows in columns.items() for one in rows if one.what == first.what}
        yield first, found


def write(file: Path, where: str, measured: Mapping[str, Columns]) -> None:
    """Replace what an earlier run wrote; whatever people wrote around it stays."""
    head, _, rest = file.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    file.write_text(f"{head}{BEGIN}{_text(where, measured)}{END}{tail}")


def _text(where: str, measured: Mapping[str, Columns]) -> str:
    parts = [f"\n{where}.\n"]
    for name, columns in measured.items():
        sizes = " | ".join(map(shown_size, columns))
        lines = [f"\n**{name}**\n", f"| measured | {sizes} | goal | |", "|---" * (len(columns) + 3) + "|"]
        for first, found in by_row(columns):
            cells = " | ".join(shown(found[size]) if size in found else "–" for size in columns)
            lines.append(f"| {first.what} | {cells} | {goal(first)} | {_met(found[max(found)])} |")
        parts.append("\n".join(lines) + "\n")
    plots = [plot for columns in measured.values() for plot in _plots(columns)]
    if plots:
        parts.append("\nBy size, with the goal as the second line:\n\n" + "\n".join(plots))
    return "".join([*parts, "\n"])


def _met(row: Row) -> str:
    return {None: "", True: "met", False: "not met"}[row.met]


def _plots(columns: Columns) -> Iterator[str]:
    if len(columns) < 2:
        return
    for first, found in by_row(columns):
        if first.goal is None or len(found) < 2:
            continue
        values = [float(f"{one.value:.4g}") for one in found.values()]
        most = float(f"{1.1 * max(*values, first.goal):.3g}")
        sizes = ", ".join(f'"{shown_size(size)}"' for size in found)
        yield "\n".join(
            (
                "```mermaid",
                "xychart-beta",
                f'    title "{first.what}"',
                f"    x-axis [{sizes}]",
                f'    y-axis "{first.unit or "a second"}" 0 --> {most:g}',
                f"    line {values}",
                f"    line {[first.goal] * len(values)}",
                "```\n",
            )
        )
