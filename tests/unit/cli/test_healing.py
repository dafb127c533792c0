"""`heal --all`: what one intent names of all that has drifted."""

from __future__ import annotations

from cheops.cli.healing import in_turn
from schemas.identity import ResourceId


def test_what_others_live_in_is_named_first_since_one_intent_may_not_name_all() -> None:
    names = ["ConfigMap/shop/a", "Namespace/shop", "Secret/shop/b", "Namespace/shop", "apps/Deployment/shop/web"]
    definition = "apiextensions.k8s.io/CustomResourceDefinition/doors.example.com"
    assert in_turn(map(ResourceId, [*names, definition])) == (
        "Namespace/shop",
        definition,
        "ConfigMap/shop/a",
        "Secret/shop/b",
        "apps/Deployment/shop/web",
    )
