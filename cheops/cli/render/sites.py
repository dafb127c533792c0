"""The mesh as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cheops.cli.render.signs import Signs
from schemas.queries import PeerLink, SiteLinks, SiteStatus

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
LINKS_HEAD: Final = ("FROM", "TO", "LINK", "ROUND TRIP", "HEARD", "OUTBOX", "VERSION")

_WHY: Final = {
    "syncing": "lists of its kinds are on their way",
    "stale": "its watcher was not heard for longer than the bound (cheops serve watcher)",
    "silent": "its watcher was never heard (cheops serve watcher)",
}
NO_EXECUTOR: Final = "no executor answers: what is allowed there is not done"
NAMED: Final = 2  # the first columns: what a row is about
TOGETHER: Final = "\N{NO-BREAK SPACE}"  # no line ends here
UNSTORED: Final = "is its nats-server's disk full? (make room, then restart that server)"


def table(found: Sequence[SiteStatus], silent: Sequence[str], signs: Signs) -> list[str]:
    """A line per site; silent ones are named."""
    rows = [HEAD, *(_row(status) for status in found)]
    rows += [(name, "silent", *("-" for _ in HEAD[2:])) for name in silent]
    lines = _aligned(rows, signs)
    lines += [f"{status.site}: {why}" for status in found if (why := why_not_fresh(status))]
    lines += [f"{status.site}: not observed: {kind} ({why})" for status in found for kind, why in status.blind.items()]
    lines += [f"{status.site}: {NO_EXECUTOR} (cheops serve executor)" for status in found if status.executor_silent]
    if not found and not silent:
        return ["no resolver answers (cheops doctor says what to start)"]
    return [signs.paint(lines[0], "bold"), *lines[1:]]


def why_not_fresh(status: SiteStatus) -> str:
    """Empty for a site that is fresh and whose server stores what it is given."""
    if status.unstored:  # until then the resolver hears nobody, not its watcher either
        return f"{status.unstored}; {UNSTORED}"
    return _WHY.get(status.state, "")


def links_table(links: Sequence[SiteLinks], signs: Signs) -> list[str]:
    """A line for each link, and why one is not up or something waits; nothing where no site has peers."""
    if not links:
        return []
    head, *rows = _aligned([LINKS_HEAD, *(_link(one.site, peer, signs) for one in links for peer in one.peers)], signs)
    whys = [
        f"{one.site} {signs.arrow} {peer.site}: {peer.why or peer.outbox.error or 'it was not asked again since'}"
        for one in links
        for peer in one.peers
        if peer.state != "up" or (peer.outbox.count and peer.outbox.error)
    ]
    return ["", signs.paint(head, "bold"), *rows, *whys]


def _link(site: str, peer: PeerLink, signs: Signs) -> tuple[str, ...]:
    sign = signs.deny if peer.state in ("unreachable", "refused") else signs.allow
    trip = "-" if peer.round_trip_s is None or peer.state == "unreachable" else f"{1_000 * peer.round_trip_s:.1f} ms"
    heard = "never" if peer.heard_s is None else f"{span(peer.heard_s)} ago"
    waiting = f"{peer.outbox.count}, {span(peer.outbox.oldest_s)}" if peer.outbox.count else "0"
    return (site, peer.site, f"{sign} {peer.state}", trip, heard, waiting, peer.speaks or "-")


def span(seconds: float) -> str:
    """`0.4 s`, `42 s`, `14 min`, `3 h`, `2 d`."""
    for limit_s, size_s, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit_s:
            return f"{seconds:.1f} s" if seconds < 10 else f"{seconds / size_s:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def _aligned(rows: Sequence[tuple[str, ...]], signs: Signs) -> list[str]:
    """Columns below their heads; where they do not fit each row is a paragraph that says its heads."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if signs.width and sum(widths) + 2 * (len(widths) - 1) > signs.width:
        head, *others = rows
        return ["  ".join(head[:NAMED]), *(line for row in others for line in _paragraph(head, row, signs))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _paragraph(head: Sequence[str], row: Sequence[str], signs: Signs) -> list[str]:
    told = [f"{name.lower()} {cell}".replace(" ", TOGETHER) for name, cell in zip(head, row, strict=True)]
    lines = signs.wrapped(", ".join(told[NAMED:]), "  ", "  ")
    return ["  ".join(row[:NAMED]), *(line.replace(TOGETHER, " ") for line in lines)]


def _row(status: SiteStatus) -> tuple[str, ...]:
    evidence = status.evidence
    age = "-" if evidence.age_s is None else f"{evidence.age_s:.1f} s"
    counts = (status.resources, status.edges, status.missing, status.in_flight, status.deferred)
    cursor = f"{evidence.epoch}:{evidence.seq}" + (f" (-{status.lag})" if status.lag else "")
    blind = f" of {evidence.observed + len(status.blind)}" if status.blind else ""
    return (status.site, status.state, age, cursor, f"{evidence.observed}{blind}", *map(str, counts))
