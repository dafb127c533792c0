"""`python -m tests.bench [--sizes 10k,100k,300k] [NAME …]`: measure, print a table each, the figures last.

Each measurement of each size runs in a process of its own, so that none inherits another's memory. Nothing here passes
or fails: figures are for reading (docs/performance.md), tests never look at a clock.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import history
from tests.bench.measuring import Row, parse_sizes, shown_size

NAMES = ("extraction", "ingest", "memory", "verdicts", "hubs", "bus", "backlog", "letters")
OVER_THE_BUS = ("bus", "backlog", "letters")
BUS_SIZES = (30_000,)
WITHOUT_HISTORY = ("extraction", "hubs", *OVER_THE_BUS)


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", default="10k,100k,300k", help="resources, growing")
    parser.add_argument("--child", nargs=2, metavar=("SIZE", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", default=NAMES, help=f"of {', '.join(NAMES)}")
    chosen = parser.parse_args()
    if chosen.child:
        size, file = chosen.child
        rows = importlib.import_module(f"tests.bench.{chosen.names[0]}").run(int(size), Path(file))
        print(json.dumps(rows))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        _measure(list(chosen.names), parse_sizes(chosen.sizes), Path(folder))
    return 0


def _measure(names: list[str], sizes: list[int], folder: Path) -> None:
    console = Console(width=118)
    console.print(_where(), highlight=False)
    figures: list[str] = []
    for name in names:
        columns = {size: _child(name, size, folder) for size in (BUS_SIZES if name in OVER_THE_BUS else sizes)}
        console.print(_table(name, columns))
        largest = max(columns)
        figures += [_figure(row, largest) for row in columns[largest] if row.goal is not None]
    console.print(*figures, sep="\n", highlight=False, markup=False)


def _child(name: str, size: int, folder: Path) -> list[Row]:
    file = folder / f"{size}.history"
    if name not in WITHOUT_HISTORY and not file.exists():
        history.write(size, file)
    command = [sys.executable, "-m", "tests.bench", name, "--child", str(size), str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [Row(*row) for row in json.loads(done.stdout.splitlines()[-1])]


def _table(name: str, columns: dict[int, list[Row]]) -> Table:
    table = Table(title=name, title_justify="left")
    table.add_column("measured")
    for size in columns:
        table.add_column(shown_size(size), justify="right")
    table.add_column("goal", justify="right")
    first = next(iter(columns.values()))
    for row in first:
        found = [next((one for one in rows if one.what == row.what), None) for rows in columns.values()]
        table.add_row(row.what, *(_shown(one) if one else "–" for one in found), _goal(row))
    return table


def _shown(row: Row) -> str:
    text = f"{row.value:,.0f}" if row.value >= 1000 else f"{row.value:.3g}"
    return f"{text} {row.unit}".strip()


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    sign = "≥" if row.better == "more" else "≤"
    return f"{sign} {row.goal:,g} {row.unit}".strip()


def _figure(row: Row, size: int) -> str:
    return f"{row.what} @ {shown_size(size)}: {_shown(row)} (goal {_goal(row)}: {'met' if row.met else 'not met'})"


def _where() -> str:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, load average {load}"


if __name__ == "__main__":
    sys.exit(main())
