"""The picture of a graph: everything is in it, what is missing is marked, and names are never markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from cheops.cli.render.picture import LINES, NODES_MAX, svg
from schemas.events import Relation
from schemas.identity import ResourceId, site_name
from schemas.queries import GraphAnswer, GraphEdge, GraphNode
from schemas.verdicts import Evidence

LYON = site_name("lyon")
SVG = "{http://www.w3.org/2000/svg}"


def _answer(nodes: list[GraphNode], edges: list[GraphEdge], more: int = 0) -> GraphAnswer:
    evidence = Evidence(site=LYON, epoch=1, seq=1, age_s=0.1, bound_s=10.0, observed=1, fresh=True)
    root = nodes[0].resource
    return GraphAnswer(site=LYON, root=root, nodes=tuple(nodes), edges=tuple(edges), more=more, evidence=evidence)


def _node(text: str, depth: int = 0, missing: bool = False) -> GraphNode:
    return GraphNode(resource=ResourceId(text), depth=depth, state="missing" if missing else "present")


def _edge(source: str, target: str, kind: Relation = "reliance", path: str = "spec.x", **more: object) -> GraphEdge:
    body = {"source": source, "target": target, "kind": kind, "phases": ("L",), "rule": "r", "path": path, **more}
    return GraphEdge.model_validate(body)


def _titles(drawn: str, group: str) -> list[str]:
    found = ET.fromstring(drawn).iter(f"{SVG}g")
    return [one.findtext(f"{SVG}title") or "" for one in found if one.get("class") == group]


WEB, CA, GONE = "apps/Deployment/shop/web", "Secret/shop/ca", "ConfigMap/shop/gone"


def test_every_resource_and_every_pair_is_drawn_once() -> None:
    edges = [_edge(WEB, CA), _edge(WEB, CA, path="spec.y"), _edge(WEB, GONE, "requirement")]
    drawn = svg(_answer([_node(WEB), _node(CA, 1), _node(GONE, 1, missing=True)], edges))
    assert sorted(_titles(drawn, "node")) == sorted([WEB, CA, GONE, "legend"])
    assert sorted(_titles(drawn, "edge")) == sorted([f"{WEB}->{CA}", f"{WEB}->{GONE}"])
    assert "+1" in drawn


def test_what_is_missing_is_red_dashed_and_said() -> None:
    drawn = svg(_answer([_node(WEB), _node(GONE, 1, missing=True)], [_edge(WEB, GONE)]))
    (mark,) = [one for one in ET.fromstring(drawn).iter(f"{SVG}g") if one.findtext(f"{SVG}title") == GONE]
    text = ET.tostring(mark, encoding="unicode")
    assert "stroke-dasharray" in text
    assert "#b00020" in text.lower()
    assert "missing" in text


@pytest.mark.parametrize("kind", list(LINES))
def test_each_kind_has_a_colour_and_a_line_and_stands_in_the_legend(kind: Relation) -> None:
    drawn = svg(_answer([_node(WEB), _node(CA, 1)], [_edge(WEB, CA, kind)]))
    assert LINES[kind]["color"].lower() in drawn.lower()
    assert kind in drawn
    others = [other for other in LINES if other != kind]
    assert not any(other in drawn for other in others)


def test_no_two_kinds_look_alike_without_their_colours() -> None:
    shapes = [
        tuple(sorted((name, value) for name, value in line.items() if name != "color")) for line in LINES.values()
    ]
    assert len(set(shapes)) == len(LINES)


def test_a_namespace_is_a_frame_and_no_node() -> None:
    nodes = [_node(WEB), _node(CA, 1), _node("Namespace/shop", 1)]
    drawn = svg(_answer(nodes, [_edge(WEB, "Namespace/shop", "containment"), _edge(WEB, CA)]))
    assert "Namespace/shop" not in _titles(drawn, "node")
    assert "namespace shop" in drawn


@pytest.mark.parametrize("name", ['a"b', "<b>&<b>", "x\\ny", "naïve-ü", "%s{}", "a>b->c"])
def test_names_are_never_markup(name: str) -> None:
    hostile = f"ConfigMap/shop/{name}"
    drawn = svg(_answer([_node(hostile), _node(CA, 1)], [_edge(hostile, CA, path=f"spec.{name}")]))
    assert hostile in _titles(drawn, "node")


def test_of_a_large_graph_the_nearest_are_drawn_and_the_rest_is_counted() -> None:
    nodes = [_node(WEB), *(_node(f"ConfigMap/shop/c{number}", number) for number in range(1, NODES_MAX + 50))]
    drawn = svg(_answer(nodes, [], more=7))
    titles = _titles(drawn, "node")
    assert len(titles) == NODES_MAX
    assert "57 more are not shown" in drawn
