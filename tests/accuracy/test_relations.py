"""What the catalogue sees, as thresholds; `make accuracy` prints the same figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cheops.sandbox.controlplane import ControlPlane
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from tests.accuracy.golden.measuring import excuses, measure
from tests.accuracy.golden.objects import corpora, golden_folder, golden_objects
from tests.accuracy.golden.openapi import served_objects
from tests.accuracy.labelled import measure_labels, service_links
from tests.kit.extractors import extractor_for

GOLDEN = golden_folder()
CORPORA = corpora()
needs_golden = pytest.mark.skipif(
    GOLDEN is None, reason="the golden objects are not here (corpora, Go module k8s.io/api)"
)
needs_corpora = pytest.mark.skipif(CORPORA is None, reason="the corpora are not beside the repository")
REFERENCES_MIN = 1_500  # fewer would mean that nothing was measured
LABELS_MIN = 150

LINKS = {
    ("cartservice", "redis-cart"),
    ("checkoutservice", "cartservice"),
    ("checkoutservice", "currencyservice"),
    ("checkoutservice", "emailservice"),
    ("checkoutservice", "paymentservice"),
    ("checkoutservice", "productcatalogservice"),
    ("checkoutservice", "shippingservice"),
    ("frontend", "adservice"),
    ("frontend", "cartservice"),
    ("frontend", "checkoutservice"),
    ("frontend", "currencyservice"),
    ("frontend", "productcatalogservice"),
    ("frontend", "recommendationservice"),
    ("frontend", "shippingservice"),
    ("loadgenerator", "frontend"),
    ("recommendationservice", "productcatalogservice"),
}


def extractor() -> Extractor:
    return extractor_for(builtin_surface())


@needs_golden
def test_every_reference_path_of_the_golden_objects_is_seen() -> None:
    assert GOLDEN is not None
    golden = measure(golden_objects(GOLDEN), extractor())
    assert golden.missed == []
    assert len(golden.seen) > REFERENCES_MIN


def test_every_reference_path_that_a_real_api_server_serves_is_seen(lyon: ControlPlane) -> None:
    served = measure(served_objects(lyon), extractor())
    assert served.missed == []
    assert len(served.seen) > REFERENCES_MIN / 2
    if GOLDEN is not None and CORPORA is not None:  # an older Go module has not every kind that a reason speaks of
        golden = measure(golden_objects(GOLDEN), extractor())
        assert [one for one in golden.unused if one in served.unused] == [], "a reason that excuses nothing any more"


@needs_golden
def test_the_measure_counts_what_is_not_seen() -> None:
    """A catalogue without one rule file misses what that file is for."""
    assert GOLDEN is not None
    whole = load_catalogue()
    rules = {kind: tuple(one for one in rows if one.area != "storage") for kind, rows in whole.rules.items()}
    golden = measure(golden_objects(GOLDEN), Extractor(replace(whole, rules=rules), builtin_surface()))
    assert "core.v1.PersistentVolumeClaim: spec.storageClassName" in golden.missed
    assert golden.share < 1


def test_each_excuse_gives_its_reason_once() -> None:
    rows = excuses()
    assert len({one.reason for one in rows}) == len(rows)
    assert all(one.reason and one.ends for one in rows)


@needs_corpora
def test_the_service_links_of_online_boutique_are_found_and_no_false_one() -> None:
    assert CORPORA is not None
    wanted = {(f"apps/Deployment/default/{source}", f"Service/default/{target}") for source, target in LINKS}
    assert service_links(CORPORA) == wanted


@needs_corpora
def test_hand_labelled_edges_are_found_and_nothing_else() -> None:
    assert CORPORA is not None
    results = list(measure_labels(CORPORA))
    assert sum(len(one.right) + len(one.missed) for one in results) >= LABELS_MIN
    for one in results:
        assert one.precision >= 0.99, one.false
        assert one.recall >= 0.99, one.missed
