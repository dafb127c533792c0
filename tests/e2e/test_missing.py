"""The manifests of four projects on a real control plane: what is missing there is really missing.

Defaults, generated claims, volumes that admission adds, owners and endpoints are there in a cluster that works; a
catalogue that read one of them wrongly would call it missing.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.relations.edges import records
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface, surface_with_crds
from tests.kit.controlplane import ControlPlanes, kubectl

CORPORA: Final = Path(__file__).resolve().parents[2].parent / "shared" / "corpora"
SETTLE_TIMEOUT_S: Final = 120.0
POLL_S: Final = 2.0
WORKLOADS: Final = "deployments,statefulsets,daemonsets"
BOOKINFO: Final = ("bookinfo.yaml", "bookinfo-mysql.yaml", "bookinfo-ratings-v2-mysql.yaml", "bookinfo-ingress.yaml")
# What is named and not there, and why that is true.
REALLY_MISSING: Final = {
    "Secret/argocd/argocd-redis": "an init container of Argo CD makes it, and no container really runs here",
    "Service/argocd/argocd-application-controller": "the StatefulSet names a Service that the manifest does not bring",
}

pytestmark = [
    pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not beside the repository"),
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def objects(control_planes: ControlPlanes) -> list[dict[str, Any]]:
    """Everything that the cluster holds after the controllers have done their work."""
    plane = control_planes("shelf")

    def run(*words: str) -> str:
        return kubectl(plane, *words)

    for namespace in ("argocd", "shop", "books"):
        run("create", "namespace", namespace)
    run("apply", "--server-side", "-f", str(CORPORA / "kube-prometheus" / "setup"))
    run("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    run("apply", "--server-side", "-f", str(CORPORA / "kube-prometheus"))
    run("apply", "--server-side", "-n", "argocd", "-f", str(CORPORA / "argo-cd" / "install.yaml"))
    run("apply", "--server-side", "-n", "shop", "-f", str(CORPORA / "online-boutique"))
    for file in BOOKINFO:
        run("apply", "--server-side", "-n", "books", "-f", str(CORPORA / "bookinfo" / "platform-kube" / file))
    _settle(run)
    kinds = run("api-resources", "--verbs=list", "-o", "name").split()
    found = [item for kind in kinds for item in json.loads(run("get", kind, "-A", "-o", "json"))["items"]]
    control_planes.retire("shelf")
    return found


def _settle(run: Any) -> None:
    """Until every workload has made its pods (a set makes them one by one, and waits for each)."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        items = json.loads(run("get", WORKLOADS, "-A", "-o", "json"))["items"]
        waiting = [item["metadata"]["name"] for item in items if not _made(item)]
        if not waiting:
            return
        assert time.monotonic() < deadline, f"no pods yet: {waiting}"
        time.sleep(POLL_S)


def _made(item: dict[str, Any]) -> bool:
    status = item.get("status", {})
    if item["kind"] == "DaemonSet":
        return int(status.get("currentNumberScheduled", 0)) >= 1
    wanted = 1 if item["kind"] == "StatefulSet" else item["spec"].get("replicas", 1)
    return int(status.get("replicas", 0)) >= min(wanted, 1)


def test_only_what_is_really_missing_is_missing(objects: list[dict[str, Any]]) -> None:
    definitions = [one for one in objects if one["kind"] == "CustomResourceDefinition"]
    extractor = Extractor(load_catalogue(), surface_with_crds(builtin_surface(), definitions))
    found = {
        row["target"]
        for row in records([extractor.state(one) for one in objects])
        if row["target"] and (not row["resolved"] or row["part_resolved"] is False)
        if not (row["optional"] or row["soft"] or row["confidence"] == "inferred")
    }
    assert found == set(REALLY_MISSING)
