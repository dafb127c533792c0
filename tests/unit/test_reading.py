"""Copies of one resource: what counts as declared, what differs, and what the parts of one add up to."""

from __future__ import annotations

from typing import Any

from cheops.reading import NOT_THERE, Copy, declared, differences, parts_of
from schemas.identity import SiteName

LYON, OSLO, NICE = SiteName("lyon"), SiteName("oslo"), SiteName("nice")


def service(address: str, port: int, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web",
            "uid": address,
            "labels": labels,
            "annotations": {"cheops.io/operation": address, "team": "shop"},
        },
        "spec": {"clusterIP": address, "ports": [{"port": port, "nodePort": len(address) * 1000}]},
        "status": {"loadBalancer": {"at": address}},
    }


LOCAL = ("spec.clusterIP", "spec.ports[*].nodePort")


def test_what_servers_set_and_what_one_cluster_gives_is_not_declared() -> None:
    assert declared(service("10.0.0.1", 80, app="web"), LOCAL) == {
        "metadata.labels.app": "web",
        "metadata.annotations.team": "shop",
        "spec.ports[0].port": 80,
    }


def test_only_what_differs_is_told_with_each_sites_value() -> None:
    copies = [Copy(LYON, service("10.0.0.1", 80, app="web")), Copy(OSLO, service("10.9.9.99", 81))]
    assert differences(copies, LOCAL) == {
        "metadata.labels.app": {LYON: "web", OSLO: NOT_THERE},
        "spec.ports[0].port": {LYON: 80, OSLO: 81},
    }


def test_a_site_that_is_unknown_or_has_none_differs_in_nothing() -> None:
    copies = [Copy(LYON, service("10.0.0.1", 80)), Copy(OSLO, None, why="cut off", is_unknown=True), Copy(NICE)]
    assert differences(copies, LOCAL) == {}


def test_keys_of_a_secret_are_compared_without_values() -> None:
    copies = [Copy(site, {"kind": "Secret", "data": dict.fromkeys(keys)}) for site, keys in ((LYON, "a"), (OSLO, "ab"))]
    assert differences(copies) == {"data.b": {LYON: NOT_THERE, OSLO: "(hidden)"}}


def deployment(replicas: int, ready: int) -> dict[str, Any]:
    return {"kind": "Deployment", "spec": {"replicas": replicas}, "status": {"readyReplicas": ready}}


def test_the_parts_of_one_add_up_and_an_unknown_part_is_not_taken_for_none() -> None:
    copies = [
        Copy(LYON, deployment(3, 2)),
        Copy(OSLO, None, why="unreachable", is_unknown=True),
        Copy(NICE, {"kind": "Deployment", "spec": {}, "status": {}}),
    ]
    parts = parts_of(copies, ("spec.replicas",))
    assert [(one.site, one.desired, one.ready) for one in parts] == [(LYON, 3, 2), (OSLO, None, None), (NICE, 1, 0)]
