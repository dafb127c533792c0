"""A graph answer as text: a tree at 80 columns, a path, a list of what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from cheops.cli.render.signs import Signs
from cheops.cli.render.verdict import named
from schemas.identity import ResourceId
from schemas.queries import GraphAnswer, GraphEdge, GraphNode

PATH_WIDTH: Final = 44
_SHORTENED: Final = ("spec.template.spec.", "spec.jobTemplate.spec.template.spec.", "spec.", "metadata.")


def tree_lines(answer: GraphAnswer, signs: Signs) -> list[str]:
    """The root, what it needs below `needs`, what needs it below `needed by`; a cycle is named, not followed."""
    assert answer.root is not None, "a tree has a root"
    nodes = {node.resource: node for node in answer.nodes}
    lines = [f"{signs.paint(named(answer.root), 'bold')} @ {answer.site}{_state(nodes.get(answer.root), signs)}"]
    if answer.direction in ("dependencies", "both"):
        lines += _side(answer, nodes, signs, forward=True)
    if answer.direction in ("dependents", "both"):
        lines += _side(answer, nodes, signs, forward=False)
    if answer.more:
        lines.append(f"{signs.ellipsis} and {answer.more} more (--depth, --kinds, or -o json)")
    return [*lines, _evidence(answer, signs)]


def path_lines(answer: GraphAnswer, signs: Signs) -> list[str]:
    """Hop by hop, with the field that makes each hop."""
    if not answer.edges:
        return ["no path: it does not depend on it", _evidence(answer, signs)]
    lines = [signs.paint(named(answer.edges[0].source), "bold")]
    for depth, edge in enumerate(answer.edges):
        lines.append(f"{signs.gap * depth}{signs.last}{named(edge.target)}   {_how(edge, signs)}")
    return [*lines, _evidence(answer, signs)]


def missing_lines(answer: GraphAnswer, signs: Signs) -> list[str]:
    """Per missing resource, who refers to it."""
    by_target: dict[ResourceId, list[GraphEdge]] = defaultdict(list)
    for edge in answer.edges:
        by_target[edge.target].append(edge)
    lines = []
    for target in sorted(by_target):
        lines.append(signs.paint(f"{signs.deny} {named(target)}", "red"))
        lines += [f"  {signs.last}{named(edge.source)}   {_how(edge, signs)}" for edge in by_target[target]]
    count = f"{len(by_target)} missing" if by_target else "nothing is missing"
    more = f", {answer.more} more references not shown" if answer.more else ""
    return [*lines, f"{count} at {answer.site}{more}", _evidence(answer, signs)]


def _side(answer: GraphAnswer, nodes: dict[ResourceId, GraphNode], signs: Signs, *, forward: bool) -> list[str]:
    hops: dict[ResourceId, list[GraphEdge]] = defaultdict(list)
    for edge in answer.edges:
        hops[edge.source if forward else edge.target].append(edge)
    direct = answer.direct_dependencies if forward else answer.direct_dependents
    word = "needs" if forward else "needed by"
    lines = [f"{word} ({direct} direct)" if direct else f"{word} nothing" if forward else "needed by nobody"]
    assert answer.root is not None, "a tree has a root"
    branch = _Branch(nodes, hops, signs, forward, {answer.root})
    return lines + branch.below(answer.root, "", (answer.root,))


class _Branch:
    """One direction of the tree; a resource is unfolded where it is met first and only named afterwards."""

    def __init__(
        self,
        nodes: dict[ResourceId, GraphNode],
        hops: dict[ResourceId, list[GraphEdge]],
        signs: Signs,
        forward: bool,
        unfolded: set[ResourceId],
    ) -> None:
        self._nodes, self._hops, self._signs, self._forward = nodes, hops, signs, forward
        self._unfolded = unfolded

    def below(self, resource: ResourceId, indent: str, trail: tuple[ResourceId, ...]) -> list[str]:
        lines: list[str] = []
        groups = _grouped(self._hops.get(resource, ()), self._forward)
        for place, (other, edges) in enumerate(groups):
            last = place == len(groups) - 1
            lead = self._signs.last if last else self._signs.branch
            again = other in self._unfolded and bool(self._hops.get(other))
            note = "  (cycle)" if other in trail else f"  ({self._signs.ellipsis} above)" if again else ""
            state = _state(self._nodes.get(other), self._signs)
            lines.append(f"{indent}{lead}{named(other)}{state}   {_how(edges[0], self._signs, len(edges))}{note}")
            if other not in trail and not again:
                self._unfolded.add(other)
                deeper = indent + (self._signs.gap if last else self._signs.pipe)
                lines += self.below(other, deeper, (*trail, other))
        return lines


def _grouped(edges: Iterable[GraphEdge], forward: bool) -> list[tuple[ResourceId, list[GraphEdge]]]:
    groups: dict[ResourceId, list[GraphEdge]] = defaultdict(list)
    for edge in edges:
        groups[edge.target if forward else edge.source].append(edge)
    return sorted(groups.items())


def _how(edge: GraphEdge, signs: Signs, count: int = 1) -> str:
    path = edge.path
    for prefix in _SHORTENED:
        path = path.removeprefix(prefix)
    if len(path) > PATH_WIDTH:
        path = signs.ellipsis + path[-PATH_WIDTH:]
    words = [edge.kind, "".join(edge.phases)]
    words += [word for word, on in (("optional", edge.optional), ("soft", edge.soft)) if on]
    words += [edge.confidence] if edge.confidence != "declared" else []
    more = f" and {count - 1} more" if count > 1 else ""
    return signs.paint(f"{path}{more} ({' '.join(words)})", "dim")


def _state(node: GraphNode | None, signs: Signs) -> str:
    if node is None or node.state == "present":
        return f" [{node.health}]" if node and node.health not in ("", "current") else ""
    return signs.paint(f" [{node.state}]", "red" if node.state == "missing" else "yellow")


def _evidence(answer: GraphAnswer, signs: Signs) -> str:
    one = answer.evidence
    age = "never observed" if one.age_s is None else f"{one.age_s:.1f} s old"
    doubt = "" if one.fresh else ", not fresh"
    return signs.paint(f"{answer.site} {one.epoch}:{one.seq}, {age}{doubt}", "dim")
