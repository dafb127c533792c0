"""What does a change take away from others, and who will notice? Pure. verdicts.md, "Create, update, apply"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.events import ResourceState
from schemas.identity import kind_of
from services.resolver.graph.view import Edge, View
from services.resolver.graph.walk import owner_of
from services.resolver.judge.case import Change
from services.resolver.judge.findings import Finding, counted, named
from services.resolver.judge.use import use_of

_LIVE: Final = ("lifetime", "next start", "in flight")
READ_WHOLE: Final = (
    "podspec.envfrom.",
    "podspec.volume.configmap",
    "podspec.volume.secret",
    "podspec.volume.projected",
)
READ_AT_START: Final = ("podspec.env.", "podspec.envfrom.")


def judge_change(view: View, after: View, change: Change) -> Iterator[Finding]:
    """Findings about replacing what is there by `change.after`."""
    old, new = view.find(change.resource), change.after
    if old is None or new is None or change.unchanged:
        return
    owner = owner_of(view, change.resource)
    if owner is not None:
        yield Finding("W240", f"its owner {named(owner)} will revert this: change that instead", "presence", owner)
    lost = _lost(old, new)
    yield from _lost_parts(view, after, old, lost)
    yield from _lost_labels(view, after, old)
    if old.digest != new.digest and kind_of(change.resource) in ("ConfigMap", "Secret"):
        yield from _noticed(view, old)


def _lost(old: ResourceState, new: ResourceState) -> dict[str, set[str]]:
    found = {part: set(offered) - set(new.parts.get(part, ())) for part, offered in old.parts.items()}
    return {part: names for part, names in found.items() if names}


def _lost_parts(view: View, after: View, old: ResourceState, lost: dict[str, set[str]]) -> Iterator[Finding]:
    if not lost:
        return
    gone = ", ".join(f"{part} {name!r}" for part in sorted(lost) for name in sorted(lost[part]))
    edges = view.dependents(old.resource)
    for edge in view.dependents(old.resource, max(edges.count, 1)).edges:
        source = after.find(edge.source)
        still = source is not None and edge.reference in source.references
        if not still or source is None or edge.reference.selector is not None:
            continue
        part, _, name = edge.reference.granule.partition(":")
        use = use_of(edge, source)
        if edge.reference.granule and name in lost.get(part, ()):
            yield from _part_in_use(view, edge, use, f"{part} {name!r}")
        elif not edge.reference.granule and "key" in lost and edge.reference.rule.startswith(READ_WHOLE):
            message = f"{named(edge.source)} @ {view.site} reads it whole and may need {gone}"
            yield Finding("W210", message, "presence", edge.source, edge, (edge,))


def _part_in_use(view: View, edge: Edge, use: str, part: str) -> Iterator[Finding]:
    user = f"{named(edge.source)} @ {view.site}"
    if use == "lifetime":
        yield Finding("D210", f"{user} uses {part}", "presence", edge.source, edge, (edge,))
    elif use in _LIVE:
        yield Finding("D211", f"{user} needs {part} at its next start", "presence", edge.source, edge, (edge,))
    elif use == "weak":
        yield Finding("W210", f"{user} refers to {part}, and does without", "presence", edge.source, edge, (edge,))


def _lost_labels(view: View, after: View, old: ResourceState) -> Iterator[Finding]:
    """A selector that matched this and matches nothing any more."""
    for edge in view.dependents(old.resource).edges:
        if edge.reference.selector is None or set(edge.reference.phases) <= {"P"}:
            continue
        source = after.find(edge.source)
        if source is None or edge.reference not in source.references:
            continue
        if not after.targets(edge.source, edge.reference).count:
            user = f"{named(edge.source)} @ {view.site}"
            yield Finding("D210", f"{user} selects it by labels that go", "presence", edge.source, edge, (edge,))


def _noticed(view: View, old: ResourceState) -> Iterator[Finding]:
    readers = {
        edge.source for edge in view.dependents(old.resource).edges if edge.reference.rule.startswith(READ_AT_START)
    }
    if readers:
        verb = "sees" if len(readers) == 1 else "see"
        message = f"{counted(len(readers), 'resource')} {verb} the change only after a restart (read through env)"
        yield Finding("N230", message, "presence", old.resource)
