"""Single references: the hops of a path, and what leads nowhere. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cheops.cli.render import rows
from cheops.cli.render.rows import Row
from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named
from schemas.counting import counted
from schemas.identity import ResourceId
from schemas.queries import GraphAnswer, GraphEdge, GraphNode


def path_lines(answer: GraphAnswer, signs: Signs) -> list[str]:
    """Hop by hop, with the field that makes each hop."""
    if not answer.edges:
        ends = [named(node.resource) for node in answer.nodes]
        text = f"{ends[0]} does not depend on {ends[-1]}" if len(ends) > 1 else "no path"
        return [f"{text} @ {answer.site}", *rows.evidence_lines(answer, signs)]
    made = [Row("", f"{named(answer.edges[0].source)} @ {answer.site}", style="bold")]
    made += [_hop(depth, edge, signs) for depth, edge in enumerate(answer.edges)]
    return [*rows.lines(made, signs), *rows.evidence_lines(answer, signs)]


def _hop(depth: int, edge: GraphEdge, signs: Signs) -> Row:
    lead = f"{signs.gap * depth}{signs.last}"
    return Row(lead, named(edge.target), rows.words_of(edge), rows.field_of(edge))


def missing_lines(answer: GraphAnswer, signs: Signs, namespace: str = "") -> list[str]:
    """Per missing resource, or part of one, who refers to it; what an owner made stands behind its owner."""
    nodes = {node.resource: node for node in answer.nodes}
    by_target: dict[tuple[ResourceId, str], list[GraphEdge]] = defaultdict(list)
    for edge in answer.edges:
        there = (node := nodes.get(edge.target)) is not None and node.state != "missing"
        by_target[edge.target, edge.granule if there else ""].append(edge)
    made: list[Row] = []
    users: set[ResourceId] = set()
    for (target, part), edges in sorted(by_target.items()):
        text = f"{part.replace(':', ' ', 1)} of {named(target)}" if part else named(target)
        made.append(Row("", f"{signs.deny} {text}", style="red"))
        below = _users(edges, nodes)
        users |= {top for top, _ in below}
        for place, (top, mine) in enumerate(below):
            made.append(_user(top, mine, "  " + (signs.last if place == len(below) - 1 else signs.branch)))
    count = f"{len(by_target)} missing at {answer.site}, needed by {len(users)}" if by_target else ""
    more = f"; {counted(answer.more, 'more reference')} not shown" if answer.more else ""
    last = (
        f"{count}{more}"
        if count
        else f"nothing is missing at {answer.site}{f' in namespace {namespace}' if namespace else ''}"
    )
    return [*rows.lines(made, signs), *signs.wrapped(last, " " * 4), *rows.evidence_lines(answer, signs)]


def _users(edges: Iterable[GraphEdge], nodes: dict[ResourceId, GraphNode]) -> list[tuple[ResourceId, list[GraphEdge]]]:
    tops: dict[ResourceId, list[GraphEdge]] = defaultdict(list)
    for edge in edges:
        node = nodes.get(edge.source)
        tops[(node.made_by if node else None) or edge.source].append(edge)
    return sorted(tops.items())


def _user(top: ResourceId, edges: list[GraphEdge], lead: str) -> Row:
    own = next((edge for edge in edges if edge.source == top), edges[0])
    made = len({edge.source for edge in edges} - {top})
    fields = sum(edge.source == own.source for edge in edges)
    label = named(top) + (f" and {made} made by it" if made else "")
    return Row(lead, label, rows.words_of(own), rows.field_of(own, fields))
