"""The manifests of five projects on a real site: what is missing there is really missing, and nothing else is.

    a fresh site → nothing is missing → the five corpora, by plain kubectl → controllers at rest, the graph equal to the
    API server → `missing`, line by line: against an explained list, and against what the API server holds

Defaults, generated claims, volumes that admission adds, owners and endpoints are there in a cluster that works; a
catalogue that read one of them wrongly would call it missing.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from cheops.mesh import connect
from cheops.sandbox.controlplane import ControlPlane, ControlPlaneMissingError
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from schemas.queries import GraphAnswer, GraphEdge
from schemas.relations.edges import records
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface, surface_with_crds
from tests.kit.controlplane import give_up, kubectl
from tests.kit.kubelet import api_of
from tests.kit.oracle import until_equal
from tests.kit.waiting import eventually_seen

CORPORA: Final = Path(__file__).resolve().parents[2].parent / "shared" / "corpora"
SHELF: Final = SiteName("shelf")
SETTLE_TIMEOUT_S: Final = 120.0
POLL_S: Final = 2.0
WORKLOADS: Final = "deployments,statefulsets,daemonsets"
NEEDS_MORE: Final = ("bookinfo-certificate.yaml", "dualstack.yaml")  # definitions of cert-manager; addresses of IPv6
# Of the golden objects (each field holds its own name) those that an API server takes; the others hold words where it
# wants one of a list, or fields of versions to come.
GOLDEN: Final = (
    "apps.v1.ControllerRevision",
    "coordination.k8s.io.v1.Lease",
    "core.v1.ConfigMap",
    "core.v1.Event",
    "core.v1.Secret",
    "core.v1.ServiceAccount",
    "storage.k8s.io.v1.CSINode",
    "storage.k8s.io.v1.VolumeAttributesClass",
)
# What is named and not there, why that is true, and who needs it.
REALLY_MISSING: Final = {
    # An init container of Argo CD makes it, and no container really runs here.
    "Secret/argocd/argocd-redis": {
        "apps/Deployment/argocd/argocd-redis-ha-haproxy",
        "apps/Deployment/argocd/argocd-repo-server",
        "apps/Deployment/argocd/argocd-server",
        "apps/StatefulSet/argocd/argocd-application-controller",
        "apps/StatefulSet/argocd/argocd-redis-ha-server",
    },
    # The StatefulSet names a Service that the manifest does not bring.
    "Service/argocd/argocd-application-controller": {"apps/StatefulSet/argocd/argocd-application-controller"},
    # An Ingress of bookinfo names its class in the former annotation; Istio, which is not here, would bring it.
    "networking.k8s.io/IngressClass/istio": {"networking.k8s.io/Ingress/books/gateway"},
}

pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not beside the repository"),
    pytest.mark.timeout(500),
]


@dataclass(frozen=True)
class Shelf:
    """What was read: the answers of the site before and after, and every object that its API server then held."""

    fresh: GraphAnswer
    missing: GraphAnswer
    whole: GraphAnswer
    objects: list[dict[str, Any]]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A site of its own, stopped once it was read."""
    try:
        bed = Testbed(tmp_path_factory.mktemp("shelf"), [SHELF], engine="kube", layout="together")
    except ControlPlaneMissingError as error:
        give_up(error)
    asyncio.run(bed.start())
    try:
        plane = bed.sites[SHELF].cluster
        assert isinstance(plane, ControlPlane)
        fresh, _ = asyncio.run(_answers(bed, plane))
        _fill(plane)
        _settle(plane)
        missing, whole = asyncio.run(_answers(bed, plane))
        objects = _objects(plane)
    finally:
        asyncio.run(bed.stop())
    return Shelf(fresh, missing, whole, objects)


async def _answers(bed: Testbed, plane: ControlPlane) -> tuple[GraphAnswer, GraphAnswer]:
    """What is missed, and that with all that is optional, when the site knows what its API server holds."""
    async with connect(bed.context) as mesh, api_of(plane) as api:
        await until_equal(mesh, api, SHELF)
        return await mesh.missing(site=SHELF), await mesh.missing(site=SHELF, optional=True)


def _fill(plane: ControlPlane) -> None:
    run = partial(kubectl, plane)
    for namespace in ("argocd", "shop", "books", "golden"):
        run("create", "namespace", namespace)
    apply = partial(run, "apply", "--server-side", "--force-conflicts")  # versions of one thing replace each other
    apply("-f", str(CORPORA / "kube-prometheus" / "setup"))
    run("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    apply("-f", str(CORPORA / "kube-prometheus"))
    apply("-n", "argocd", "-f", str(CORPORA / "argo-cd" / "install.yaml"))
    apply("-n", "shop", "-f", str(CORPORA / "online-boutique"))
    books = sorted((CORPORA / "bookinfo" / "platform-kube").glob("*.yaml"))
    apply("-n", "books", *(f"-f={file}" for file in books if not file.name.endswith(NEEDS_MORE)))
    golden = [_golden(CORPORA / "kubernetes-api" / f"{name}.yaml") for name in GOLDEN]
    apply("-n", "golden", "--validate=false", "-f", "-", manifest="\n---\n".join(golden))


def _golden(file: Path) -> str:
    """In small letters, as names must be, and without what only a server may write."""
    body = yaml.safe_load(re.sub(r"\b[a-z]\w*Value\b", lambda word: word[0].lower(), file.read_text()))
    fields = {name: value for name, value in body.items() if name != "status"}
    return json.dumps({**fields, "metadata": {"name": body["metadata"]["name"]}}, default=str)


def _settle(plane: ControlPlane) -> None:
    """Until every workload has made its pods (a set makes them one by one, and waits for each)."""
    waiting: list[str] = []

    def all_made() -> bool:
        items = json.loads(kubectl(plane, "get", WORKLOADS, "-A", "-o", "json"))["items"]
        waiting[:] = [item["metadata"]["name"] for item in items if not _made(item)]
        return not waiting

    eventually_seen(all_made, lambda: f"no pods yet: {waiting}", SETTLE_TIMEOUT_S, POLL_S)


def _made(item: dict[str, Any]) -> bool:
    status = item.get("status", {})
    if item["kind"] == "DaemonSet":
        return int(status.get("currentNumberScheduled", 0)) >= 1
    wanted = 1 if item["kind"] == "StatefulSet" else item["spec"].get("replicas", 1)
    return int(status.get("replicas", 0)) >= min(wanted, 1)


def _objects(plane: ControlPlane) -> list[dict[str, Any]]:
    kinds = kubectl(plane, "api-resources", "--verbs=list", "-o", "name").split()
    listed: list[dict[str, Any]] = json.loads(kubectl(plane, "get", ",".join(kinds), "-A", "-o", "json"))["items"]
    return listed


def test_on_a_fresh_site_nothing_is_missing(shelf: Shelf) -> None:
    assert [(edge.source, edge.path, edge.target) for edge in shelf.fresh.edges] == []


def test_what_the_five_corpora_miss_is_what_is_explained_here(shelf: Shelf) -> None:
    tops = {node.resource: node.made_by or node.resource for node in shelf.missing.nodes}
    users: dict[str, set[str]] = {}
    for edge in shelf.missing.edges:
        users.setdefault(edge.target, set()).add(tops[edge.source])
    assert users == REALLY_MISSING


def test_of_every_line_the_optional_ones_included_the_api_server_knows_nothing(shelf: Shelf) -> None:
    held = {_identity(one): one for one in shelf.objects}
    assert len(shelf.whole.edges) > len(shelf.missing.edges)
    assert [edge for edge in shelf.whole.edges if _is_there(held.get(edge.target), edge)] == []


def test_the_same_objects_as_manifests_miss_the_same(shelf: Shelf) -> None:
    definitions = [one for one in shelf.objects if one["kind"] == "CustomResourceDefinition"]
    extractor = Extractor(load_catalogue(), surface_with_crds(builtin_surface(), definitions))
    found = {
        row["target"]
        for row in records([extractor.state(one) for one in shelf.objects])
        if row["target"] and (not row["resolved"] or row["part_resolved"] is False)
        if not (row["optional"] or row["soft"] or row["confidence"] == "inferred")
    }
    assert found == set(REALLY_MISSING)


def _identity(body: dict[str, Any]) -> str:
    group, slash, _ = body["apiVersion"].partition("/")
    metadata = body["metadata"]
    parts = [group if slash else "", body["kind"], metadata.get("namespace", ""), metadata["name"]]
    return "/".join(part for part in parts if part)


def _is_there(body: dict[str, Any] | None, edge: GraphEdge) -> bool:
    if body is None or not edge.granule:
        return body is not None
    part, _, name = edge.granule.partition(":")
    if part == "port":
        return any(name in (str(port["port"]), port.get("name")) for port in body["spec"]["ports"])
    assert part == "key", edge
    return name in {**(body.get("data") or {}), **(body.get("binaryData") or {})}
