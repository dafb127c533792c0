"""A graph answer as a tree: the root, what it needs, what needs it. Pure.

Each resource is unfolded where it is met first. A namespace, or a definition of custom resources, that was named once
is not named again below every leaf, and what a branch shares with one above it is one line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from cheops.cli.render import rows
from cheops.cli.render.rows import Row
from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named
from schemas.identity import ResourceId, kind_of
from schemas.queries import GraphAnswer, GraphEdge, GraphNode

Group = tuple[ResourceId, list[GraphEdge]]
ABOVE_NAMED_MAX: Final = 3
CONTAINERS: Final = ("Namespace", "apiextensions.k8s.io/CustomResourceDefinition")


def tree_lines(answer: GraphAnswer, signs: Signs) -> list[str]:
    """The root, what it needs below `needs`, what needs it below `needed by`; a cycle is named, not followed."""
    assert answer.root is not None, "a tree has a root"
    nodes = {node.resource: node for node in answer.nodes}
    root = nodes.get(answer.root)
    made = [Row("", f"{named(answer.root)} @ {answer.site}{rows.state_of(root)}", style=rows.style_of(root) or "bold")]
    for direction, forward in (("dependencies", True), ("dependents", False)):
        if answer.direction in (direction, "both"):
            made += _Side(answer, nodes, signs, forward).rows()
    if answer.more:
        made.append(Row("", f"{signs.ellipsis} and {answer.more} more (--depth, --kinds, or -o json)"))
    return [*rows.lines(made, signs), *rows.evidence_lines(answer, signs)]


class _Side:
    """One direction of the tree."""

    def __init__(self, answer: GraphAnswer, nodes: dict[ResourceId, GraphNode], signs: Signs, forward: bool) -> None:
        assert answer.root is not None, "a tree has a root"
        self._root, self._nodes, self._signs, self._forward = answer.root, nodes, signs, forward
        self._direct = answer.direct_dependencies if forward else answer.direct_dependents
        self._owned = {edge.source: edge.target for edge in answer.edges if edge.kind == "composition"}
        self._hops: dict[ResourceId, list[GraphEdge]] = defaultdict(list)
        for edge in answer.edges:
            self._hops[edge.source if forward else edge.target].append(edge)
        self._shown = {answer.root, *(one for one, _ in self._groups(answer.root) if _is_container(one))}

    def rows(self) -> list[Row]:
        if self._forward:
            head = f"needs {self._direct}" if self._direct else "needs nothing"
        else:
            head = f"needed by {self._direct}" if self._direct else "needed by nobody"
        return [Row("", head), *self._below(self._root, "", (self._root,))]

    def _below(self, resource: ResourceId, indent: str, trail: tuple[ResourceId, ...]) -> list[Row]:
        groups = self._groups(resource)
        again = [one for one in groups if resource != self._root and self._is_folded(one, trail)]
        fresh = [one for one in groups if one not in again]
        above = [one for one, _ in again if not _is_container(one) and not self._hangs_on(one, trail[:-1])]
        made: list[Row] = []
        for place, group in enumerate(fresh):
            made += self._branch(group, indent, trail, place == len(fresh) - 1 and not above)
        if above:
            lead = f"{indent}{self._signs.last}"
            made.append(Row(lead, self._above(above, self._signs.width - len(lead))))
        return made

    def _branch(self, group: Group, indent: str, trail: tuple[ResourceId, ...], last: bool) -> list[Row]:
        other, edges = group
        node = self._nodes.get(other)
        lead = indent + (self._signs.last if last else self._signs.branch)
        made = self._made_count(other, trail[-1])
        label = f"{named(other)}{rows.state_of(node)}" + (" (cycle)" if other in trail else "")
        label += f" and {made} made by it" if made else ""
        row = Row(lead, label, rows.words_of(edges[0]), rows.field_of(edges[0], len(edges)), rows.style_of(node))
        if other in trail:
            return [row]
        self._shown.add(other)
        return [row, *self._below(other, indent + (self._signs.gap if last else self._signs.pipe), (*trail, other))]

    def _is_folded(self, group: Group, trail: Sequence[ResourceId]) -> bool:
        """Shown already, and saying it again tells nothing: it has a branch of its own above, or it contains."""
        other = group[0]
        if other not in self._shown or other in trail[:-1]:
            return False
        return _is_container(other) or not self._forward or bool(self._hops.get(other))

    def _hangs_on(self, resource: ResourceId, ancestors: Sequence[ResourceId]) -> bool:
        """What uses an owner and what the owner made is one user: it stands beside the owner already."""
        hops = () if self._forward else (edge for one in ancestors for edge in self._hops.get(one, ()))
        return any(self._other(edge) == resource for edge in hops)

    def _above(self, names: Sequence[ResourceId], room: int) -> str:
        shown = [named(one) for one in names[:ABOVE_NAMED_MAX]]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        text = f"{self._signs.ellipsis} {', '.join(shown)}{more} (above)"
        if not self._signs.width or len(text) <= room:
            return text
        return (
            f"{self._signs.ellipsis} {named(names[0])}"
            + (f" and {len(names) - 1} more" if names[1:] else "")
            + " (above)"
        )

    def _groups(self, resource: ResourceId) -> list[Group]:
        """Who comes next; an owner stands for what it made, which comes below it or goes unsaid."""
        groups: dict[ResourceId, list[GraphEdge]] = defaultdict(list)
        for edge in self._hops.get(resource, ()):
            groups[self._other(edge)].append(edge)
        return sorted(
            (group for group in groups.items() if not self._owners(group[0]) & groups.keys()),
            key=lambda group: (_is_container(group[0]), group[0]),
        )

    def _made_count(self, owner: ResourceId, parent: ResourceId) -> int:
        others = {self._other(edge) for edge in self._hops.get(parent, ())}
        return sum(owner in self._owners(one) and not self._owners(owner) & others for one in others)

    def _owners(self, resource: ResourceId) -> frozenset[ResourceId]:
        """The chain of owners, as far as the answer holds it."""
        found: set[ResourceId] = set()
        step = self._owned.get(resource)
        while step is not None and step not in found:
            found.add(step)
            step = self._owned.get(step)
        return frozenset(found - {resource})

    def _other(self, edge: GraphEdge) -> ResourceId:
        return edge.target if self._forward else edge.source


def _is_container(resource: ResourceId) -> bool:
    return kind_of(resource) in CONTAINERS
