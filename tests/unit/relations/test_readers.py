"""One way through an object finds what each rule finds by itself, however strange the object; nothing is mixed up.

The extractor reads all examples one after the other, so what it remembers of one must not show in another.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity import KindId
from schemas.relations.extract import with_packs
from schemas.relations.kind_facts import KindFacts
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from tests.bench.fleet import Fleet
from tests.kit.examples import examples
from tests.unit.relations import plainly
from tests.unit.relations.reading import EXTRACTOR, made, references, state
from tests.unit.relations.test_hostile_objects import KINDS, WHOLE, spoil

CATALOGUE = load_catalogue()
SURFACE = with_packs(builtin_surface(), CATALOGUE)
EVERY = CATALOGUE.kinds[KindId("*")]


def placed(example: dict[str, Any]) -> dict[str, Any]:
    """An example with what it leaves unsaid."""
    body = {"metadata": {"name": "web", "namespace": "shop"}, **copy.deepcopy(example)}
    group, _, kind = str(body["kind"]).rpartition("/")
    return {"apiVersion": f"{group}/v1" if group else "v1", **body, "kind": kind}


def examples_of(kind: str) -> list[dict[str, Any]]:
    """Those of the catalogue, as objects."""
    return [placed(one) for one in WHOLE if one["kind"] == kind]


def assert_read_alike(body: dict[str, Any]) -> None:
    """Read at once and read plainly are the same."""
    read, key = EXTRACTOR.state(body), EXTRACTOR.key(body)
    plain = plainly.references(body, key, CATALOGUE, SURFACE)
    assert Counter(map(msgspec.json.encode, read.references)) == Counter(map(msgspec.json.encode, plain))
    known = CATALOGUE.kinds.get(key.kind_id) or KindFacts(kind="")
    assert read.parts == plainly.parts(body, known)
    told = {name: one for name, one in read.facts.items() if name not in ("recurs", "takes", "restores", "health")}
    assert told == plainly.facts(body, known, EVERY)


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_read_at_once_as_it_is_read_plainly(kind: str) -> None:
    for example in examples_of(kind):
        assert_read_alike(example)


def test_the_objects_of_a_cluster_are_read_at_once_as_they_are_read_plainly() -> None:
    for body in Fleet(300).bodies():
        assert_read_alike(body)


@settings(max_examples=examples(300))
@given(st.data())
def test_an_example_with_junk_in_it_is_read_at_once_as_it_is_read_plainly(data: st.DataObject) -> None:
    body = placed(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 3))):
        spoil(data, body)
    assert_read_alike(body)


@pytest.mark.parametrize(
    "spec",
    [
        {"priorityClassName": "system-node-critical"},
        {"volumes": [{"secret": {"secretName": "ca", "optional": word}} for word in (True, False, 1, "true", None)]},
        {"volumes": [{"secret": {"secretName": "ca", "items": [{"key": key} for key in ("a", 1, True, None, "a")]}}]},
        {"containers": [{"envFrom": {"first": {"secretRef": {"name": "ca"}}}}], "serviceAccountName": 7},
        {"nodeName": "a/b", "imagePullSecrets": [None, {"name": ""}, {"name": "ca"}]},
        "text",
    ],
)
def test_words_skipped_names_and_strange_lists_are_read_at_once_as_they_are_read_plainly(spec: Any) -> None:
    for namespace in ("shop", "", "a/b"):
        assert_read_alike(made("Pod", namespace=namespace, spec=spec))


def test_the_permission_that_one_needs_is_not_asked_of_another() -> None:
    parents = [{"name": "edge", "namespace": "infra"}]
    needs = []
    for namespace in ("shop", "infra"):
        service = {"name": "web", "namespace": "infra"}
        spec = {"parentRefs": parents, "rules": [{"backendRefs": [service]}]}
        route = made("HTTPRoute", "gateway.networking.k8s.io/v1", namespace=namespace, spec=spec)
        (backend,) = [one for one in references(route) if one.target == "Service/infra/web"]
        needs.append(backend.needs_permission)
    assert needs == [True, False]


def test_mounts_by_subpath_are_seen_where_a_pod_projects_only_tokens() -> None:
    volumes = [{"name": "all", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]
    mounts = [{"name": "all", "mountPath": "/t", "subPath": "t"}]
    pod = made("Pod", spec={"containers": [{"name": "a", "volumeMounts": mounts}], "volumes": volumes})
    (token,) = references(pod, "podspec.volume.projected.token")
    assert (token.phases, token.relation) == ("S", "requirement")


def test_labels_are_a_copy_and_what_is_no_text_is_made_one() -> None:
    labels: dict[Any, Any] = {"app": "web", "size": 3, "gone": None}
    body = made("ConfigMap", metadata={"labels": labels})
    assert state(body).labels == {"app": "web", "size": "3"}
    labels.clear()
    labels["app"] = "web"
    read = state(body)
    labels["app"] = "other"
    assert read.labels == {"app": "web"}
