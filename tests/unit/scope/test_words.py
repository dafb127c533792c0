"""What would happen where, in plain words."""

from __future__ import annotations

import pytest

from schemas.relations.surface import builtin_surface
from schemas.scope.parse import parse_scope
from schemas.scope.words import explain

SURFACE = builtin_surface()
REST = "What no part names stays where it is."
FOLLOWS = "What the bundle holds for it follows it to its sites, whole, unless a part names it."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "deployment: lyon & oslo, secret: oslo",
            [
                "Deployments: the same at lyon and oslo (replication)",
                "Secrets: live at oslo, shared to where they are needed",
                REST,
            ],
        ),
        ("lyon", ["What is asked for: lives at lyon", FOLLOWS, REST]),
        ("*: lyon", ["Everything: lives at lyon"]),
        ("cm/web: all", ["ConfigMap web: the same at every known site (replication)", REST]),
        (
            "deploy: lyon*2 % oslo {prime: lyon, rebalance: true}",
            [
                "Deployments: one, divided: 2 of 3 parts at lyon and 1 of 3 parts at oslo (cross); "
                "lyon is the prime site and takes what cannot be divided evenly; "
                "the share of a lost site moves to the others after a while, if most are there, and goes back",
                REST,
            ],
        ),
        (
            "networkpolicies: lyon % oslo ; nice {min: 1}",
            [
                "NetworkPolicies: first one, divided: 1 of 2 parts at lyon and 1 of 2 parts at oslo (cross), "
                "or if that fails at nice (otherwise); enough when 1 site does it",
                REST,
            ],
        ),
        (
            "namespace: lyon % oslo, deployment: lyon & oslo",
            [
                "Namespaces: one place that spans lyon and oslo; what is in it is where it is put, "
                "and has its name there (cross)",
                "Deployments: the same at lyon and oslo (replication)",
                REST,
            ],
        ),
        (
            "ingress: around(lyon, 10ms)",
            ["Ingresses: at lyon, or if that fails at the nearest site within 10ms of it (around)", REST],
        ),
        (
            "widget.example.org: (lyon ; oslo) & nice",
            [
                "Widgets of example.org: the same at the first that works of (lyon and oslo) and nice (replication)",
                REST,
            ],
        ),
    ],
)
def test_a_scope_is_explained_part_by_part(text: str, words: list[str]) -> None:
    assert explain(parse_scope(text), SURFACE) == words


def test_without_a_surface_kinds_are_called_as_they_were_written() -> None:
    assert explain(parse_scope("configmap/x: lyon"))[0] == "Configmap x: lives at lyon"
