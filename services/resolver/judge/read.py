"""Where can it be read, and is it whole? Pure. verdicts.md, "Read"."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.identity import ResourceId
from services.resolver.graph.view import Edge, View
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.grants import is_granted
from services.resolver.judge.use import breaks


def judge_read(view: View, resource: ResourceId) -> Iterator[Finding]:
    """Findings about reading one resource."""
    state = view.find(resource)
    if state is None:
        yield Finding("D410", f"{named(resource)} is not there", "absence", resource)
        return
    for reference in state.references:
        edge = Edge(resource, reference.target, reference)
        is_refused = reference.needs_permission and is_granted(view, state, reference) is False
        if reference.selector is None and (is_refused or breaks(edge, view)):
            yield Finding(
                "W412", f"its dependency {named(reference.target)} is broken", "absence", reference.target, edge
            )
