"""Who uses a part that a change takes away: a key, a port, a version. Pure. verdicts.md, "Create, update, apply"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from schemas.among import is_among
from schemas.events import Reference, ResourceState
from schemas.identity import ResourceId, kind_of
from schemas.relations.offering import KEY, TEXT
from services.resolver.graph.view import Edge, View
from services.resolver.graph.walk import maker_of
from services.resolver.judge.delete import USERS_LOOKED_AT, Blocks, blocks_by_default
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.losses import lost_to
from services.resolver.judge.use import DEFAULT_PARTS, is_for_starts, use_of, use_shown, weakly, with_default_part

WARNINGS_NAMED: Final = 16  # about one part of a hub
LIVE: Final = ("lifetime", "next start", "in flight")
MOUNTED: Final = ("podspec.volume.configmap", "podspec.volume.secret", "podspec.volume.projected")
READ_WHOLE: Final = ("podspec.envfrom.", *MOUNTED)

Needed = tuple[ResourceId, str]  # a target, and the part of it
Needing = dict[ResourceId, dict[Needed, list[Reference]]]  # makers that were looked through


def parts_missed(
    view: View, after: View, old: ResourceState, lost: dict[str, set[str]], blocks: Blocks
) -> Iterator[Finding]:
    """Of a hub the first few users, when one of them blocks; else those of the rest that may block."""
    if not lost:
        return
    few = view.dependents(old.resource, USERS_LOOKED_AT, "users")
    if "version" in lost:  # an object is kept at a version that is served
        children = view.dependents(old.resource, view.dependents(old.resource, 1, "children").count, "children").edges
        yield from _losing(view, after, children, {"version": lost["version"]})
    found = list(_losing(view, after, few.edges, lost))
    if few.count <= USERS_LOOKED_AT:
        yield from found
        return
    if not any(map(blocks, found)):
        looked_at = {edge.source for edge in few.edges}
        found += _losing(view, after, _rest(view, old.resource, looked_at, lost, blocks), lost)
    yield from _fewer_warnings(found, blocks)


def _rest(
    view: View, resource: ResourceId, looked_at: set[ResourceId], lost: dict[str, set[str]], blocks: Blocks
) -> list[Edge]:
    """Those of the other users whose loss may block: who names the part; anybody, if a policy or an override speaks.

    A part that is meant by saying none is looked for among all of them.
    """
    gone = {f"{KEY if part == TEXT else part}:{name}" for part, names in lost.items() for name in names}
    if blocks is blocks_by_default and gone.isdisjoint(DEFAULT_PARTS.values()):
        every = view.needing(resource, gone)
    else:
        every = list(view.dependents(resource, view.dependents(resource, 1, "users").count, "users").edges)
    return [edge for edge in every if edge.source not in looked_at]


def _fewer_warnings(findings: Iterable[Finding], blocks: Blocks) -> Iterator[Finding]:
    """Of a hub: what decides, and the first warnings; that there are more of them is no news."""
    warnings = 0
    for finding in findings:
        if finding.letter != "W" or blocks(finding):
            yield finding
        else:
            warnings += 1
            if warnings <= WARNINGS_NAMED:
                yield finding


def _losing(view: View, after: View, edges: Iterable[Edge], lost: dict[str, set[str]]) -> Iterator[Finding]:
    makers: Needing = {}
    for edge in edges:
        part, _, name = with_default_part(edge.reference).granule.partition(":")
        missed = lost_to(edge.reference, part, lost)
        whole = not part and bool(missed) and edge.reference.rule.startswith(READ_WHOLE)
        if edge.reference.selector is not None or not (whole or name in missed):
            continue
        source = after.find(edge.source)
        if source is None or not is_among(edge.reference, source.references):
            continue
        if _maker_stands_for(view, after, edge, source, makers):
            continue
        if whole:
            gone = ", ".join(f"{KEY} {one!r}" for one in sorted(missed))
            message = f"{named(edge.source)} @ {view.site} reads it whole and may need {gone}"
            yield Finding("W210", message, "presence", edge.source, edge, (edge,))
        else:
            use = "lifetime" if part == "version" else use_shown(after, edge, source)
            yield from part_in_use(view, edge, use, f"{part} {name!r}")


def _maker_stands_for(view: View, after: View, edge: Edge, source: ResourceState, makers: Needing) -> bool:
    """Whoever made the user from a template says it as well, or is changed here and will replace it."""
    maker = maker_of(view, edge.source)
    before, now = (view.find(maker), after.find(maker)) if maker is not None else (None, None)
    if before is None or now is None:
        return False
    same = _needing(now, makers).get((edge.reference.target, edge.reference.granule))
    if not same:
        return now is not before
    if use_of(edge, source) not in LIVE:
        return True
    return any(use_of(Edge(now.resource, edge.target, one), now) in LIVE for one in same)


def _needing(maker: ResourceState, makers: Needing) -> dict[Needed, list[Reference]]:
    """Its references by what they need; looked through once, however many of them are asked for."""
    found = makers.get(maker.resource)
    if found is None:
        found = makers[maker.resource] = {}
        for one in maker.references:
            found.setdefault((one.target, one.granule), []).append(one)
    return found


def part_in_use(view: View, edge: Edge, use: str, part: str) -> Iterator[Finding]:
    user = f"{named(edge.source)} @ {view.site}"
    holder = view.held_by(edge.source)
    if use in LIVE and holder is not None:
        message = f"intent {holder} changes {user}, which uses {part}"
        yield Finding("F510", message, "presence", edge.source, edge, (edge,), waits_for=holder)
    elif use == "lifetime":
        yield Finding("D210", f"{user} uses {part}", "presence", edge.source, edge, (edge,))
    elif use in LIVE:
        yield Finding("D211", f"{user} needs {part} at its next start", "presence", edge.source, edge, (edge,))
    elif use == "over":
        message = f"{user} needs {part} only when somebody starts it"
        yield Finding("N311", message, "presence", edge.source, edge, (edge,))
    elif use == "weak":
        message = f"{user} {weakly(edge, part)}"
        yield Finding(weak_code(edge), message, "presence", edge.source, edge, (edge,))


def weak_code(edge: Edge) -> str:
    return "W211" if is_for_starts(edge.reference, kind_of(edge.source)) else "W210"
