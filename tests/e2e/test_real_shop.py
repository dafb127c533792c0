"""Online Boutique through the command line, on a real cluster; and what somebody does behind our back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cheops.drafts import Intent
from tests.e2e.conftest import LYON, WAIT_S, World
from tests.kit.controlplane import kubectl
from tests.kit.waiting import lasting

ROOT = Path(__file__).parents[2]
BOUTIQUE = ROOT.parent / "shared" / "corpora" / "online-boutique"
SHOP = ROOT / "cheops" / "demo" / "manifests" / "shop.yaml"
pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]


@pytest.mark.skipif(not BOUTIQUE.exists(), reason="the corpora are not beside the repository")
async def test_online_boutique_is_applied_seen_protected_and_let_go_of_by_command(world: World) -> None:
    namespace = await world.namespace("boutique")
    applied = await world.cheops("apply", "-f", str(BOUTIQUE), "-n", namespace, "--site", LYON, "-o", "json")
    assert applied.returncode == 0, applied.stderr
    told = json.loads(applied.stdout)
    assert told["decision"] == "allow"
    assert {one["state"] for one in told["outcomes"]} == {"ready"}
    await world.known(f"apps/Deployment/{namespace}/frontend")
    await world.converged()
    tree = await world.cheops("tree", "deployment/frontend", "-n", namespace, "--site", LYON)
    assert tree.returncode == 0, tree.stderr
    assert f"ServiceAccount {namespace}/frontend" in tree.stdout
    assert f"Service {namespace}/frontend" in tree.stdout
    used = await world.cheops("delete", "serviceaccount/frontend", "-n", namespace, "--site", LYON)
    assert used.returncode == 3, used.stdout + used.stderr
    assert "DENY D310" in used.stdout
    created = await world.cheops(
        "create", "-f", "-", "-n", namespace, "--site", LYON,
        stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: banner-2019}\n",
    )  # fmt: skip
    assert created.returncode == 0, created.stdout + created.stderr
    unused = await world.cheops("delete", "configmap/banner-2019", "-n", namespace, "--site", LYON)
    assert unused.returncode == 0, unused.stdout + unused.stderr
    gone = await world.api.get(f"/api/v1/namespaces/{namespace}/configmaps/banner-2019")
    assert gone.status == 404
    await world.converged()


DEAD_REQUEST_S = 3.0


async def test_a_secret_in_use_that_kubectl_deletes_raises_an_alert_and_heals_when_it_is_back(world: World) -> None:
    namespace = await world.namespace("alerted")
    secret = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca"}, "stringData": {"k": "v"}})
    kubectl(world.plane, "-n", namespace, "create", "-f", "-", manifest=secret)
    applied = await world.follow(Intent.apply([_mounting("ca")], namespace=namespace))
    assert applied[-1].outcome is not None
    assert applied[-1].outcome.state == "ready"
    await world.known(f"apps/Deployment/{namespace}/web")
    kubectl(world.plane, "-n", namespace, "delete", "secret", "ca")
    states: list[str] = []
    async with asyncio.timeout(WAIT_S):
        async for alert in world.mesh.alerts(site=LYON, stored=True, follow=True):
            if alert.resource != f"Secret/{namespace}/ca":
                continue
            states.append(alert.state)
            if alert.state == "raised":
                assert f"apps/Deployment/{namespace}/web" in {edge.source for edge in alert.broken}
                kubectl(world.plane, "-n", namespace, "create", "-f", "-", manifest=secret)
            else:
                break
    assert states == ["raised", "healed"]
    await world.converged()


async def test_a_finalizer_holds_a_delete_and_its_dependents_stay_protected(world: World) -> None:
    namespace = await world.namespace("held")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.org/x"]}}
    await world.api.post(path, body)
    await world.known(f"ConfigMap/{namespace}/held")
    intent = await world.mesh.enter(Intent.delete("configmap/held", namespace=namespace), site=LYON)
    async with asyncio.timeout(WAIT_S):
        async for progress in world.mesh.follow(intent):
            assert progress.verdict.decision == "allow", progress.verdict.summary
            if progress.outcome is None:
                assert {one.code for one in progress.verdict.reasons} == {"N331"}
            elif progress.outcome.state == "applied":  # terminating: whoever needs it now is refused
                needs = _mounting("held", kind="configMap")
                verdict = await world.mesh.submit(Intent.apply([needs], namespace=namespace), site=LYON)
                assert verdict.decision != "allow"
                await world.api.patch(f"{path}/held", {"metadata": {"finalizers": None}})
    await world.known(f"ConfigMap/{namespace}/held", there=False)
    await world.converged()


async def test_what_changed_between_verdict_and_operation_is_decided_again(world: World) -> None:
    namespace = await world.namespace("overtaken")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await world.api.post(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}})
    await world.known(f"ConfigMap/{namespace}/one")
    world.service("executor").kill()
    # A server with leaf links holds a dead client's pull request for 2 s: what it took would count as begun.
    await lasting(DEAD_REQUEST_S)
    intent = await world.mesh.enter(Intent.delete("configmap/one", namespace=namespace), site=LYON)
    revisions = []
    async with asyncio.timeout(WAIT_S):
        async for progress in world.mesh.follow(intent):
            if progress.outcome is None:
                revisions.append((progress.verdict.revision, progress.verdict.decision))
            if len(revisions) == 1 and progress.outcome is None:
                await world.api.delete(f"{path}/one")  # the same name, another object
                await world.api.post(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}})
                await world.bed.start_services(LYON)
    assert revisions[0] == (1, "allow")
    assert revisions[-1][0] > 1
    await world.known(f"ConfigMap/{namespace}/one", there=False)
    await world.converged()


def _mounting(name: str, kind: str = "secret") -> dict[str, object]:
    field = "secretName" if kind == "secret" else "name"
    pod = {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", kind: {field: name}}],
    }
    labels = {"app": "web"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
