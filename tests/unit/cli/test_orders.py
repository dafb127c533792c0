"""Orders as text within the width, and as graphs for other programs."""

from __future__ import annotations

from html import unescape

import pytest

from cheops.cli.render.export import FORMS
from cheops.cli.render.order import after_text, order_graph, order_lines
from cheops.cli.render.signs import Signs
from schemas.identity import ResourceId
from schemas.queries import OrderAnswer
from schemas.verdicts import Step
from tests.kit.needs import GRAPHVIZ
from tests.unit.cli.answers import EVIDENCE, LYON, SECRET, SERVICE, WEB


def _order(*resources: str, cycle: tuple[str, ...] = (), missing: tuple[str, ...] = ()) -> OrderAnswer:
    """Each step after all before it."""
    steps = [
        Step(
            id=str(place + 1),
            site=LYON,
            action="apply",
            resource=ResourceId(one),
            after=tuple(str(before + 1) for before in range(place)),
        )
        for place, one in enumerate(resources)
    ]
    return OrderAnswer(
        site=LYON,
        action="create",
        steps=tuple(steps),
        cycle=tuple(map(ResourceId, cycle)),
        missing=tuple(map(ResourceId, missing)),
        evidence=EVIDENCE,
    )


@pytest.mark.parametrize(
    ("ids", "room", "text"),
    [
        ("1", 0, "after 1"),
        ("1 2", 0, "after 1, 2"),
        ("1 2 3 5 7 8 9 10", 0, "after 1-3, 5, 7-10"),
        ("1 2 3 5 7 8 9 10", 16, "after 8 of them"),
        ("1 2 3 5 7 8 9 10 12 14 16", 24, "after 1-3, 5 and 7 more"),
        ("1 2 3 5 7 8 9 10", 5, ""),
        ("a b-1 c", 0, "after a, b-1, c"),
    ],
)
def test_what_a_step_waits_for_is_said_in_the_room_that_there_is(ids: str, room: int, text: str) -> None:
    assert after_text(ids.split(), room) == text


def test_a_long_order_keeps_within_eighty_columns() -> None:
    names = [f"ConfigMap/shop/settings-{place}" for place in range(1, 120, 2)]
    lines = order_lines(_order(*names, f"Secret/shop/{'long-' * 11}name"), Signs(width=80))
    assert max(map(len, lines)) <= 80
    assert lines[60].split() == ["60", "ConfigMap", "shop/settings-119", "after", "1-59"]


@pytest.mark.parametrize("form", [pytest.param(one, marks=GRAPHVIZ if one == "svg" else ()) for one in FORMS])
def test_an_order_is_drawn_in_each_form_with_every_step(form: str) -> None:
    drawn = unescape(FORMS[form](order_graph(_order(SECRET, SERVICE, WEB, missing=("ConfigMap/shop/gone",)))))
    assert all(name in drawn for name in ("edge-ca", "web", "gone"))


def test_the_graph_of_an_order_has_an_edge_for_each_wait_and_the_cycle_when_there_is_none() -> None:
    pairs = {(edge.source, edge.target) for edge in order_graph(_order(SECRET, SERVICE, WEB)).edges}
    assert pairs == {(SERVICE, SECRET), (WEB, SECRET), (WEB, SERVICE)}
    cycle = {(edge.source, edge.target) for edge in order_graph(_order(cycle=(WEB, SERVICE))).edges}
    assert cycle == {(WEB, SERVICE), (SERVICE, WEB)}
