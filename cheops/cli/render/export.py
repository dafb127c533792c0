"""A graph answer for other programs: Graphviz, GraphML, Mermaid; and a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cheops.cli.render.steps import named
from schemas.queries import GraphAnswer, GraphEdge

_DASHES: Final = {
    "requirement": "dashed",
    "reliance": "solid",
    "composition": "bold",
    "containment": "dotted",
    "association": "dashed",
}


def dot(answer: GraphAnswer) -> str:
    """Graphviz."""
    lines = ["digraph cheops {", "  rankdir=LR;", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for node in answer.nodes:
        style = ', style="rounded,dashed", color=red' if node.state == "missing" else ""
        lines.append(f"  {_quoted(node.resource)} [label={_quoted(named(node.resource))}{style}];")
    for edge in answer.edges:
        lines.append(
            f"  {_quoted(edge.source)} -> {_quoted(edge.target)} "
            f"[style={_DASHES[edge.kind]}, label={_quoted(edge.kind)}, tooltip={_quoted(edge.path)}];"
        )
    return "\n".join([*lines, "}"])


def mermaid(answer: GraphAnswer) -> str:
    """Mermaid, for pages that render it."""
    ids = {node.resource: f"n{place}" for place, node in enumerate(answer.nodes)}
    lines = ["flowchart LR"]
    for node in answer.nodes:
        label = named(node.resource).replace('"', "&quot;")
        lines.append(f'  {ids[node.resource]}["{label}"]' + (":::missing" if node.state == "missing" else ""))
    lines += [f"  {ids[edge.source]} -->|{edge.kind}| {ids[edge.target]}" for edge in answer.edges]
    return "\n".join([*lines, "  classDef missing stroke:red,stroke-dasharray: 5 5"])


def graphml(answer: GraphAnswer) -> str:
    """GraphML, by networkx."""
    import networkx

    graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    for node in answer.nodes:
        graph.add_node(node.resource, state=node.state, depth=node.depth)
    for edge in answer.edges:
        graph.add_edge(edge.source, edge.target, **_attributes(edge))
    return "\n".join(networkx.generate_graphml(graph))


def _attributes(edge: GraphEdge) -> dict[str, str | bool]:
    return {
        "relation": edge.kind,
        "phases": "".join(edge.phases),
        "rule": edge.rule,
        "path": edge.path,
        "optional": edge.optional,
    }


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def svg(answer: GraphAnswer) -> str:
    """A picture, when the extra for it is installed."""
    from cheops.cli.failures import NoGraphvizError
    from cheops.cli.render import picture

    try:
        return picture.svg(answer)
    except ImportError as error:
        raise NoGraphvizError(error) from error


FORMS: Final[dict[str, Callable[[GraphAnswer], str]]] = {
    "dot": dot,
    "graphml": graphml,
    "mermaid": mermaid,
    "svg": svg,
}
