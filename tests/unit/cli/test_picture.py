"""The picture of a graph: everything is in it, what is missing is marked, and names are never markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from cheops.cli.render.picture import HOLLOW, LINES, LINES_MAX, NODES_MAX, svg
from schemas.events import Relation
from schemas.identity import ResourceId, site_name
from schemas.queries import GraphAnswer, GraphEdge, GraphNode
from schemas.verdicts import Evidence
from tests.kit.needs import GRAPHVIZ

LYON = site_name("lyon")
SVG = "{http://www.w3.org/2000/svg}"

pytestmark = GRAPHVIZ


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


@pytest.mark.parametrize("text", ["\u202ea", "\\N\\G", "&lt;", "a\\b"])
def test_names_are_told_as_they_are(text: str) -> None:
    name = f"ConfigMap/shop/{text}"
    tips = _tips(svg(_answer([_node(name), _node(CA, 1)], [_edge(name, CA)])))
    assert f"ConfigMap/shop/{_spelled(text)}" in tips


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x00b", "a\nb", "a\ud800b", "\\N\\G", "&lt;", "<b>"])
def test_characters_that_no_picture_can_carry_are_spelled_out(text: str) -> None:
    drawn = svg(_answer([_node(WEB), _node(CA, 1)], [_edge(WEB, CA, path=f"data.{text}")]))
    assert not any(char != "\n" and not char.isprintable() for char in drawn)
    assert f"data.{_spelled(text)}" in _tips(drawn)


def _tips(drawn: str) -> list[str]:
    return [one.get("{http://www.w3.org/1999/xlink}title") or "" for one in ET.fromstring(drawn).iter(f"{SVG}a")]


def _spelled(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def test_names_with_colons_are_no_ports() -> None:
    role, binding = (f"rbac.authorization.k8s.io/{kind}/system:node" for kind in ("ClusterRole", "ClusterRoleBinding"))
    drawn = svg(_answer([_node(binding), _node(role, 1)], [_edge(binding, role)]))
    assert _titles(drawn, "edge") == [f"{binding}->{role}"]


def test_a_selector_that_is_optional_still_ends_otherwise_than_an_optional_need() -> None:
    edges = [_edge(WEB, CA, "requirement", optional=True), _edge(WEB, GONE, "association", optional=True)]
    drawn = svg(_answer([_node(WEB), _node(CA, 1), _node(GONE, 1)], edges))
    corners = [
        len((head.get("points") or "").split())
        for one in ET.fromstring(drawn).iter(f"{SVG}g")
        if one.get("class") == "edge"
        for head in one.iter(f"{SVG}polygon")
        if head.get("fill") == "none"
    ]
    assert sorted(corners) == [4, 5], "an arrow and a diamond, both hollow"
    assert HOLLOW["diamond"] == "odiamond"


def test_of_too_many_lines_those_that_say_least_are_left_out_and_counted() -> None:
    ids = [f"ConfigMap/shop/c{number}" for number in range(60)]
    pairs = [(one, two) for one in ids for two in ids if one < two]
    needs = [_edge(one, two) for one, two in pairs[: LINES_MAX - 10]]
    inside = [_edge(one, two, "containment") for one, two in pairs[:40]]
    drawn = svg(_answer([_node(one, 1) for one in ids], [*inside, *needs]))
    assert len(_titles(drawn, "edge")) == LINES_MAX
    assert "30 of their lines are not drawn" in drawn


def test_of_a_large_graph_the_nearest_are_drawn_and_the_rest_is_counted() -> None:
    nodes = [_node(WEB), *(_node(f"ConfigMap/shop/c{number}", number) for number in range(1, NODES_MAX + 50))]
    drawn = svg(_answer(nodes, [], more=7))
    titles = _titles(drawn, "node")
    assert len(titles) == NODES_MAX
    assert "57 more are not shown" in drawn
