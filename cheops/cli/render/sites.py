"""The mesh as a table."""

from __future__ import annotations

from typing import Final

from cheops.cli.render.signs import Signs
from schemas.queries import SiteStatus

HEAD: Final = (
    "SITE",
    "STATE",
    "AGE",
    "CURSOR",
    "KINDS",
    "RESOURCES",
    "EDGES",
    "MISSING",
    "IN FLIGHT",
    "WAITING",
)

_WHY: Final = {
    "syncing": "its first lists are on their way",
    "stale": "its watcher was not heard for longer than the bound (cheops serve watcher)",
    "silent": "its watcher was never heard (cheops serve watcher)",
}


def table(found: list[SiteStatus], silent: list[str], signs: Signs) -> list[str]:
    """A line per site; silent ones are named."""
    rows = [HEAD, *(_row(status) for status in found)]
    rows += [(name, "silent", *("-" for _ in HEAD[2:])) for name in silent]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{status.site}: {why}" for status in found if (why := _WHY.get(status.state))]
    lines += [f"{status.site}: not observed: {kind} ({why})" for status in found for kind, why in status.blind.items()]
    if not found and not silent:
        return ["no resolver answers (cheops doctor says what to start)"]
    return [signs.paint(lines[0], "bold"), *lines[1:]]


def _row(status: SiteStatus) -> tuple[str, ...]:
    evidence = status.evidence
    age = "-" if evidence.age_s is None else f"{evidence.age_s:.1f} s"
    counts = (status.resources, status.edges, status.missing, status.in_flight, status.deferred)
    cursor = f"{evidence.epoch}:{evidence.seq}" + (f" (-{status.lag})" if status.lag else "")
    blind = f" of {evidence.observed + len(status.blind)}" if status.blind else ""
    return (status.site, status.state, age, cursor, f"{evidence.observed}{blind}", *map(str, counts))
