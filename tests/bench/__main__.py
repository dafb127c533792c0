"""`python -m tests.bench [--sizes 10k,100k,1M] [--json FILE] [--out FILE] [NAME …]`: a table each, the figures last.

`--json` adds a line to a history, `--out` writes tables and plots into a page (docs/performance.md).
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
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from schemas import compiled
from tests.bench import growth, history
from tests.bench.measuring import Row, parse_sizes, shown_size

NAMES = (
    *("extraction", "watching", "listing", "ingest", "streaming", "memory", "pauses", "verdicts", "restart", "decided"),
    *("compared", "hubs", "gate", "plans", "bus", "acts", "bundles", "backlog", "beside", "letters", "starting"),
    *("applying", "lineage", "freshness"),
)
Columns = dict[int, list[Row]]
AT_ONE_SIZE = {
    "streaming": 100_000,
    "bus": 30_000,
    "acts": 30_000,
    "bundles": 30_000,
    "backlog": 30_000,
    "beside": 20_000,
    "letters": 30_000,
    "starting": 10_000,
    "plans": 1_000,
    "applying": 1_000,
    "lineage": 20_000,
    "freshness": 1_000,
}
WITHOUT_HISTORY = (
    "extraction",
    "watching",
    "listing",
    "decided",
    "hubs",
    "plans",
    "bus",
    "acts",
    "bundles",
    "backlog",
    "beside",
    "letters",
    "starting",
    "applying",
    "lineage",
    "freshness",
)


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", default="10k,100k,1M", help="resources, growing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the figures to this history, a line a run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write tables and plots into this page")
    parser.add_argument("--child", nargs=2, metavar=("SIZE", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", default=NAMES, help=f"of {', '.join(NAMES)}")
    chosen = parser.parse_args()
    if chosen.child:
        size, file = chosen.child
        rows = importlib.import_module(f"tests.bench.{chosen.names[0]}").run(int(size), Path(file))
        print(json.dumps(rows))
        return 0
    where, at = _where(), datetime.now(UTC).isoformat(timespec="seconds")
    measured: dict[str, Columns] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, columns in _measure(list(chosen.names), parse_sizes(chosen.sizes), Path(folder), where):
            measured[name] = columns
            if chosen.out:
                growth.write(chosen.out, where, measured)
    if chosen.json:
        with chosen.json.open("a") as out:
            out.write(json.dumps({"at": at, "where": where, "figures": _as_json(measured)}) + "\n")
    return 0


def _measure(names: list[str], sizes: list[int], folder: Path, where: str) -> Iterator[tuple[str, Columns]]:
    console = Console(width=118)
    console.print(where, highlight=False)
    figures: list[str] = []
    for name in names:
        at = [min(AT_ONE_SIZE[name], max(sizes))] if name in AT_ONE_SIZE else sizes
        columns = {size: _child(name, size, folder) for size in at}
        console.print(_table(name, columns))
        yield name, columns
        largest = max(columns)
        figures += [_figure(row, largest) for row in columns[largest] if row.goal is not None]
    console.print(*figures, sep="\n", highlight=False, markup=False)


def _as_json(measured: dict[str, Columns]) -> list[dict[str, Any]]:
    return [
        {"name": name, "size": size, **row._asdict()}
        for name, columns in measured.items()
        for size, rows in columns.items()
        for row in rows
    ]


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
    for first, found in growth.by_row(columns):
        cells = (growth.shown(found[size]) if size in found else "–" for size in columns)
        table.add_row(first.what, *cells, growth.goal(first))
    return table


def _figure(row: Row, size: int) -> str:
    met = "met" if row.met else "not met"
    return f"{row.what} @ {shown_size(size)}: {growth.shown(row)} (goal {growth.goal(row)}: {met})"


def _where() -> str:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    code = f"extraction, telling, graph and judge {compiled.found()}"
    return f"Python {platform.python_version()}, {machine}, {code}, load average {load}"


if __name__ == "__main__":
    sys.exit(main())
