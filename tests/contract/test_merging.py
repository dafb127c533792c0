"""Our own merge and the API server's: the same change of the same live object gives the same references and parts.

The live objects are applied by the real kubectl on the real API server; the change is `kubectl apply --dry-run=server`,
which is what a person would see, and `merged`, which is what `cheops check` judges when no server can be asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cheops.offline.merging import merged
from cheops.offline.sites import placed
from cheops.sandbox.controlplane import ControlPlane
from schemas.documents import read_documents
from schemas.events import ResourceState
from schemas.relations.surface import builtin_surface
from tests.kit.controlplane import kubectl
from tests.kit.extractors import extractor_for

BOUTIQUE = Path(__file__).parents[3] / "shared" / "corpora" / "online-boutique"
NAMESPACE = "merging"
Body = dict[str, Any]
pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.skipif(not BOUTIQUE.exists(), reason="the corpora are not beside the repository"),
]


def _pod(body: Body) -> Body:
    spec: Body = body["spec"]["template"]["spec"]
    return spec


def _another_variable(body: Body) -> None:
    source = {"configMapKeyRef": {"name": "settings", "key": "mode"}}
    _pod(body)["containers"][0].setdefault("env", []).append({"name": "MODE", "valueFrom": source})


def _no_variables(body: Body) -> None:
    _pod(body)["containers"][0].pop("env", None)


def _another_image(body: Body) -> None:
    _pod(body)["containers"][0]["image"] = "other:2"


def _a_sidecar(body: Body) -> None:
    _pod(body)["containers"].append({"name": "proxy", "image": "p", "envFrom": [{"secretRef": {"name": "proxy"}}]})


def _another_container(body: Body) -> None:
    _pod(body)["containers"] = [{"name": "only", "image": "o", "ports": [{"name": "web", "containerPort": 81}]}]


def _a_volume(body: Body) -> None:
    _pod(body).setdefault("volumes", []).append({"name": "ca", "secret": {"secretName": "edge-ca"}})


def _another_account(body: Body) -> None:
    _pod(body)["serviceAccountName"] = "robot"


def _no_account(body: Body) -> None:
    _pod(body).pop("serviceAccountName", None)


def _another_label(body: Body) -> None:
    body["metadata"].setdefault("labels", {})["tier"] = "edge"
    body["spec"]["template"]["metadata"]["labels"]["tier"] = "edge"


def _scaled(body: Body) -> None:
    body["spec"]["replicas"] = 0


CHANGES: list[Callable[[Body], None]] = [
    _another_variable,
    _no_variables,
    _another_image,
    _a_sidecar,
    _another_container,
    _a_volume,
    _another_account,
    _no_account,
    _another_label,
    _scaled,
]


def _another_port(body: Body) -> None:
    body["spec"]["ports"].append({"name": "admin", "port": 9999})


def _moved_port(body: Body) -> None:
    body["spec"]["ports"] = [{"name": "moved", "port": 7777, "targetPort": 7777}]


def _another_selector(body: Body) -> None:
    body["spec"]["selector"] = {"app": "other"}


SERVICE_CHANGES: list[Callable[[Body], None]] = [_another_port, _moved_port, _another_selector]


def _manifests(kind: str, count: int) -> list[Body]:
    rows = [one.body for one in read_documents(BOUTIQUE)] if BOUTIQUE.exists() else []
    return [body for body in rows if body["kind"] == kind][:count]


def _after(body: Body, change: Callable[[Body], None]) -> Body:
    changed = deepcopy(body)
    change(changed)
    return changed


ROWS = [
    pytest.param(body, change, id=f"{body['kind']} {body['metadata']['name']}: {change.__name__[1:]}")
    for kind, count, changes in (("Deployment", 4, CHANGES), ("Service", 4, SERVICE_CHANGES))
    for body in _manifests(kind, count)
    for change in changes
]
CHANGED = [json.dumps(_after(*row.values)) for row in ROWS]


@pytest.fixture(scope="module")
def namespace(lyon: ControlPlane) -> str:
    kubectl(lyon, "create", "namespace", NAMESPACE)
    return NAMESPACE


@pytest.fixture(scope="module")
def applied(lyon: ControlPlane, namespace: str) -> Callable[[Body], Body]:
    """Once, and once more to see what controllers have added; dry runs leave it so."""

    @cache
    def live(manifest: str) -> str:
        apply = ("-n", namespace, "apply", "-o", "json", "-f", "-")
        kubectl(lyon, *apply, manifest=manifest)
        return kubectl(lyon, *apply, manifest=manifest)

    return lambda body: json.loads(live(json.dumps(body)))


@pytest.fixture(scope="module")
def dry(lyon: ControlPlane, namespace: str, applied: Callable[[Body], Body]) -> dict[str, Body]:
    """What the server would make of each changed manifest; one kubectl for all of them, each on what is applied."""
    for row in ROWS:
        applied(row.values[0])
    words = ("-n", namespace, "apply", "--dry-run=server", "-o", "json", "-f", "-")
    answers = json.loads(kubectl(lyon, *words, manifest="\n---\n".join(CHANGED)))["items"]
    return dict(zip(CHANGED, answers, strict=True))


@pytest.mark.parametrize(("body", "change"), ROWS)
def test_our_merge_shows_what_the_server_would_make_of_it(
    namespace: str,
    applied: Callable[[Body], Body],
    dry: dict[str, Body],
    body: Body,
    change: Callable[[Body], None],
) -> None:
    live, changed = applied(body), _after(body, change)
    server = dry[json.dumps(changed)]
    assert server["metadata"]["name"] == body["metadata"]["name"]
    assert _meaning(merged(live, changed)) == _meaning(server)
    file, file_after = placed(body, namespace), placed(changed, namespace)
    assert _meaning(merged(file, file_after)) == _meaning(server), (
        "where the file that was applied stands for the object"
    )


def _meaning(body: Body) -> dict[str, Any]:
    state: ResourceState = extractor_for(builtin_surface()).state(body)
    return {
        "references": {(one.rule, one.path, one.target, one.granule, one.optional) for one in state.references},
        "parts": {part: set(names) for part, names in state.parts.items()},
        "labels": state.labels,
        "template labels": state.template_labels,
        "recurs": state.facts.get("recurs"),
    }
