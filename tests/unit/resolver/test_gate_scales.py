"""`kubectl scale` at the gate: a Scale is judged as its workload applied with so many replicas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.resolver.gate import Said
from tests.kit.manifests import Manifest, deployment, mounts_secret, namespace, pod, service, thing, workload
from tests.unit.resolver.test_gate import Site, annotated, in_flight, labelled

WEB = deployment("web")
HELD = service("web", "web")
KEDA = "system:serviceaccount:keda:keda-operator"
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "ReplicaSet": "replicasets"}


def replicated(body: Manifest, replicas: int) -> Manifest:
    return {**body, "spec": {**body["spec"], "replicas": replicas}}


def scale_of(body: Manifest, replicas: int) -> Manifest:
    """As an API server makes it: a zero is left out, and so are labels and annotations."""
    metadata = {name: body["metadata"][name] for name in ("name", "namespace", "uid")}
    spec = {"replicas": replicas} if replicas else {}
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": spec, "status": {}}


def scale(site: Site, body: Manifest, replicas: int, **more: Any) -> Said:
    resource = {"group": "apps", "version": "v1", "resource": PLURALS[body["kind"]]}
    about = {"resource": resource, "subResource": "scale", **more}
    return site.ask("UPDATE", scale_of(body, replicas), scale_of(body, 1), **about)


@pytest.mark.parametrize("kind", [*PLURALS])
def test_what_is_selected_is_not_scaled_to_zero(kind: str) -> None:
    web = workload(kind, "web", {}, app="web")
    site = Site(namespace(), web, HELD)
    said = scale(site, web, 0)
    first, second, *_, last = said.message.splitlines()
    assert first.startswith(f"apply {kind} shop/web @ lyon: ")
    assert second.startswith("  D210 Service shop/web @ lyon selects it, and would select nothing")
    assert last == "  or do it all the same: annotate it with cheops.io/override=D210"
    assert scale(site, web, 5) == Said(True)


@given(
    some.lists(some.sampled_from(["Service", "Pod", "other", "budget", "scaler", "owner", "flight"]), unique=True),
    some.integers(0, 3),
    some.integers(0, 3),
    some.booleans(),
)
def test_a_scale_is_judged_as_its_workload_applied_so(beside: list[str], before: int, then: int, aged: bool) -> None:
    web = replicated(deployment("web", mounts_secret("ca")), before)
    if "owner" in beside:
        web["metadata"]["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "above", "uid": "above", "controller": True}
        ]
    target = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    objects = {
        "Service": HELD,
        "Pod": pod("web-1", app="web"),
        "other": deployment("two", app="web"),
        "budget": thing("PodDisruptionBudget", "web", spec={"selector": {"matchLabels": {"app": "web"}}}),
        "scaler": thing("HorizontalPodAutoscaler", "web", api="autoscaling/v2", spec=target),
        "owner": deployment("above"),
    }
    site = Site(namespace(), web, *(objects[one] for one in beside if one in objects))
    if "flight" in beside:
        in_flight(site, "apply", HELD)
    if aged:
        site.later(60.0)
    assert scale(site, web, then) == site.ask("UPDATE", replicated(web, then), web)


def test_the_override_and_the_protection_of_what_is_scaled_count_for_its_scale() -> None:
    passed = annotated(WEB, override="D210")
    said = scale(Site(namespace(), passed, HELD), passed, 0)
    assert (said.allowed, said.overridden) == (True, ("D210",))
    assert said.warnings == ("D210 Service shop/web @ lyon selects it, and would select nothing",)
    for body, allowed in ((WEB, True), (labelled(WEB, protected="true"), False)):
        site = Site(namespace(), body)
        site.later(60.0)
        said = scale(site, body, 0)
        assert said.allowed == allowed
        assert "F502" in (said.message or said.warnings[0])


def test_what_is_in_flight_keeps_what_it_selects() -> None:
    site = Site(namespace(), WEB)
    in_flight(site, "create", HELD)
    applied = site.ask("UPDATE", replicated(WEB, 0), WEB)
    assert scale(site, WEB, 0) == applied


def test_of_what_is_not_known_or_is_another_one_or_ends_nothing_is_said() -> None:
    site = Site(namespace(), HELD)
    assert scale(site, WEB, 0) == Said(True, judged=False)
    another = {**WEB, "metadata": {**WEB["metadata"], "uid": "another"}}
    site = Site(namespace(), WEB, HELD)
    assert scale(site, another, 0) == Said(True, judged=False)
    assert scale(site, WEB, 0, subResource="status") == Said(True, judged=False)
    assert scale(site, WEB, 0, resource={"group": "example.com", "resource": "gadgets"}) == Said(True, judged=False)
    assert not scale(Site(namespace(), ending := deployment("web", ending=True), HELD), ending, 0).judged


def test_who_starts_it_again_may_stop_it_and_nobody_else() -> None:
    target = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 0}
    scaler = thing("HorizontalPodAutoscaler", "web", api="autoscaling/v2", spec=target)
    site = Site(namespace(), WEB, HELD, scaler)
    by_keda = {"user": KEDA}
    assert not scale(site, WEB, 0).allowed
    assert scale(site, WEB, 0, **by_keda) == Said(True, judged=False)
    without = Site(namespace(), WEB, HELD)
    assert not scale(without, WEB, 0, **by_keda).allowed
    unseen = Site(namespace(), WEB, HELD, blind=("autoscaling/HorizontalPodAutoscaler",))
    assert scale(unseen, WEB, 0, **by_keda).allowed, "nobody knows whether it is started again"
    assert not scale(unseen, WEB, 0).allowed
