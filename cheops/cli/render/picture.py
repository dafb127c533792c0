"""A graph answer as a picture: a layered graph in SVG, laid out by Graphviz (from the wheel of pygraphviz).

What is drawn is what helps: namespaces are frames and no nodes, several references between the same two are one line
with their number. Each kind of relationship has a colour *and* a kind of line; what is missing is red, dashed and said.
"""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from cheops.cli.render.rows import field_of, fitted
from cheops.cli.render.signs import Signs
from schemas.counting import are, counted
from schemas.events import Relation
from schemas.identity import ResourceId, ResourceKey
from schemas.queries import GraphAnswer, GraphEdge, GraphNode

if TYPE_CHECKING:
    from pygraphviz import AGraph

NODES_MAX: Final = 300  # nearest first; what is left out is counted below the picture
LINES_MAX: Final = 1_000
# With more lines than these the layout may take 20 s (1,000 lines between 60 nodes); in haste it takes one.
CAREFUL_LINES_MAX: Final = 500
HASTE: Final = {"nslimit": "0.5", "nslimit1": "0.5", "mclimit": "0.1", "splines": "line"}
LABELLED_MAX: Final = 40  # nodes; with more of them the lines carry their path as a tooltip only
PATH_LEN_MAX: Final = 40
SIGNS: Final = Signs(width=PATH_LEN_MAX)
HOLLOW: Final = {"diamond": "odiamond"}  # the others end in an arrow, which becomes an empty one
NAMESPACE: Final = "Namespace"
MISSING: Final = "#B00020"
GREY: Final = "#6B6B6B"
# Okabe and Ito's colours, which people with any colour vision tell apart; and how the line looks without them.
LINES: Final[dict[str, dict[str, str]]] = {
    "requirement": {"color": "#B35F00", "style": "dashed"},
    "reliance": {"color": "#0072B2", "style": "solid"},
    "composition": {"color": "#00795C", "style": "solid", "penwidth": "2.4"},
    "containment": {"color": "#7A7A7A", "style": "dotted"},
    "association": {"color": "#A4457F", "style": "dashed", "arrowhead": "diamond"},
}
MEANINGS: Final = {
    "requirement": ("┄┄┄▶", "needed at admission or start"),
    "reliance": ("───▶", "fails when it goes"),
    "composition": ("━━━▶", "made and ended by"),
    "containment": ("·····▶", "lives inside"),
    "association": ("┄┄┄◆", "selects by labels"),
}

Line = tuple[ResourceId, ResourceId, Relation]


def svg(answer: GraphAnswer) -> str:
    """The picture. Raises ImportError when the extra `picture` is not installed."""
    from pygraphviz import AGraph

    graph = AGraph(directed=True, strict=False, rankdir="LR", nodesep="0.18", ranksep="0.9", fontname="sans-serif")
    graph.graph_attr.update(bgcolor="white", pad="0.3", labelloc="b", fontsize="11")
    graph.node_attr.update(shape="box", style="rounded,filled", fillcolor="white", color=GREY, fontname="sans-serif")
    graph.node_attr.update(fontsize="11", margin="0.12,0.05", height="0.3")
    graph.edge_attr.update(fontname="sans-serif", fontsize="9", arrowsize="0.7")
    nodes = _drawable(answer)
    shown = nodes[:NODES_MAX]
    lines = _lines(answer, {node.resource for node in shown})
    drawn_lines = dict(list(lines.items())[:LINES_MAX])
    graph.graph_attr.update(label=_caption(answer, len(nodes) - len(shown), len(lines) - len(drawn_lines)))
    if len(drawn_lines) > CAREFUL_LINES_MAX:
        graph.graph_attr.update(HASTE)
    _add_nodes(graph, answer, shown)
    _add_edges(graph, drawn_lines, labelled=len(shown) <= LABELLED_MAX)
    _add_legend(graph, {kind for _, _, kind in drawn_lines})
    with quietly():
        drawn: bytes = graph.draw(format="svg", prog="dot")
    return drawn.decode()


def _drawable(answer: GraphAnswer) -> list[GraphNode]:
    """Nearest first. A namespace is a frame, unless it is what was asked for, or is missing."""
    nodes = [
        node
        for node in answer.nodes
        if node.resource == answer.root or node.state == "missing" or ResourceKey.parse(node.resource).kind != NAMESPACE
    ]
    return sorted(nodes, key=lambda node: abs(node.depth))


def _lines(answer: GraphAnswer, shown: set[ResourceId]) -> dict[Line, list[GraphEdge]]:
    """One line for the references of a kind between two resources that are shown; what they live inside comes last."""
    lines: dict[Line, list[GraphEdge]] = {}
    for edge in sorted(answer.edges, key=lambda edge: edge.kind == "containment"):
        if edge.source in shown and edge.target in shown:
            lines.setdefault((edge.source, edge.target, edge.kind), []).append(edge)
    return lines


def _caption(answer: GraphAnswer, nodes_left: int, lines_left: int) -> str:
    root = f"{answer.root} at {answer.site}" if answer.root else f"site {answer.site}"
    more = nodes_left + answer.more
    left = [f"{more} more {are(more)} not shown"] if more else []
    left += [f"{lines_left} of their lines {are(lines_left)} not drawn"] if lines_left else []
    return _literal(", ".join([f"{root}: {counted(len(answer.nodes), 'resource')}", *left]))


def _add_nodes(graph: AGraph, answer: GraphAnswer, nodes: list[GraphNode]) -> None:
    frames: dict[str, list[str]] = {}
    for node in nodes:
        key = ResourceKey.parse(node.resource)
        frames.setdefault(key.namespace, []).append(_printable(node.resource))
        lines = [_markup(key.kind, size=9, colour=GREY), _markup(key.name, bold=node.resource == answer.root)]
        if node.state != "present":
            lines.append(_markup(node.state, size=9, colour=MISSING, bold=True))
        style: dict[str, Any] = {}
        if node.state == "missing":
            style = {"color": MISSING, "style": "rounded,dashed,filled", "penwidth": "1.6"}
        elif node.resource == answer.root:
            style = {"penwidth": "2.2", "color": "black", "fillcolor": "#FFF7D6"}
        label = f"<{'<BR/>'.join(lines)}>"
        graph.add_node(_printable(node.resource), label=label, tooltip=_literal(node.resource), **style)
    for place, (namespace, members) in enumerate(sorted(frames.items())):
        if namespace:
            label = f"<{_markup(f'namespace {namespace}', size=10, colour=GREY)}>"
            frame = {"color": "#C9C9C9", "style": "rounded", "bgcolor": "#FAFAFA", "labeljust": "l"}
            graph.add_subgraph(members, name=f"cluster_{place}", label=label, **frame)


def _add_edges(graph: AGraph, lines: dict[Line, list[GraphEdge]], *, labelled: bool) -> None:
    for (source, target, kind), edges in lines.items():
        paths = Counter(_short(edge) for edge in edges)
        first = next(iter(paths))
        more = f" +{len(edges) - 1}" if len(edges) > 1 else ""
        attributes = {**LINES[kind], "tooltip": "\n".join(_literal(edge.path) for edge in edges)}
        if labelled and kind not in ("composition", "containment"):
            attributes["label"] = f"<{_markup(first + more, size=9, colour=LINES[kind]['color'])}>"
        if all(edge.optional or edge.soft or edge.confidence != "declared" for edge in edges):
            attributes["arrowhead"] = HOLLOW.get(attributes.get("arrowhead", ""), "empty")
        graph.add_edge(_printable(source), _printable(target), **attributes)


def _short(edge: GraphEdge) -> str:
    """As the text says it, as far as there is room."""
    return "selector" if edge.selector else fitted(field_of(edge), PATH_LEN_MAX, SIGNS)


def _add_legend(graph: AGraph, kinds: set[str]) -> None:
    rows = []
    for kind in LINES:
        if kind in kinds:
            line, meaning = MEANINGS[kind]
            colour = LINES[kind]["color"]
            sign = f'<TD ALIGN="LEFT"><FONT COLOR="{colour}">{line}</FONT></TD>'
            words = f'<TD ALIGN="LEFT"><FONT COLOR="{colour}">{kind}</FONT>: {html.escape(meaning)}</TD>'
            rows.append(f"<TR>{sign}{words}</TR>")
    if rows:
        rows.append('<TR><TD ALIGN="LEFT">──▷</TD><TD ALIGN="LEFT">hollow: optional, soft or guessed</TD></TR>')
        table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1">{"".join(rows)}</TABLE>'
        graph.add_node("legend", shape="plain", label=f"<{table}>", fontsize="10", tooltip="legend")


def _markup(text: str, *, size: int = 11, colour: str = "black", bold: bool = False) -> str:
    """Hostile names included: nothing of them is markup."""
    safe = html.escape(_printable(text))
    body = f"<B>{safe}</B>" if bold else safe
    return f'<FONT POINT-SIZE="{size}" COLOR="{colour}">{body}</FONT>'


def _printable(text: str) -> str:
    """What XML can carry: what has no shape becomes an escape."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _literal(text: str) -> str:
    r"""For attributes in which Graphviz reads entities and escapes (`\N` would become the name of the node)."""
    return _printable(text).replace("&", "&amp;").replace("\\", "\\" * 4)  # tooltips are read twice


@contextmanager
def quietly() -> Iterator[None]:
    """Graphviz is a library that writes its doubts about fonts to our standard error: they help nobody here."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
