"""Kills and restarts on real clusters: one effect, nothing missed; after each the graph equals a fresh one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from cheops.drafts import Intent
from cheops.following import Progress
from cheops.sandbox.plane.kubeconfig import write_kubeconfig
from schemas import subjects
from schemas.verdicts import Verdict
from tests.e2e.conftest import LYON, WAIT_S, World
from tests.kit.bed import witness
from tests.kit.oracle import until_equal
from tests.kit.waiting import eventually, lasting

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def _settings(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_a_definition_installed_while_watching_brings_its_objects_and_takes_them_away(world: World) -> None:
    namespace = await world.namespace("customs")
    before = (await world.mesh.status(LYON)).evidence.observed
    await world.api.post(CRDS, CRD)
    widgets = f"/apis/example.org/v1/namespaces/{namespace}/widgets"
    body = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "one"}}
    await _made(world, widgets, body)  # served a moment after it is established
    await _observes(world, before + 1)
    await world.known(f"example.org/Widget/{namespace}/one")
    await world.converged()
    tree = await world.mesh.dependencies("widget/one", namespace=namespace, site=LYON)
    assert f"{CRD['kind']}/widgets.example.org" in " ".join(edge.target for edge in tree.edges)
    taken = await world.mesh.preview(
        await world.mesh.enter(Intent.delete("crd/widgets.example.org", preview=True), site=LYON)
    )
    assert taken.decision == "allow"
    await world.api.delete(f"{CRDS}/widgets.example.org")
    await _observes(world, before)
    await world.converged()


async def _made(world: World, path: str, body: dict[str, Any]) -> None:
    async def created() -> bool:
        return (await world.api.post(path, body)).status == 201

    await eventually(created, f"the API server makes nothing at {path}", WAIT_S)


async def _observes(world: World, kinds: int) -> None:
    async def so_many() -> bool:
        return (await world.mesh.status(LYON)).evidence.observed == kinds

    await eventually(so_many, f"lyon does not observe {kinds} kinds", WAIT_S)


async def test_what_is_deleted_and_made_again_while_the_watcher_is_dead_is_another_object(world: World) -> None:
    namespace = await world.namespace("remade")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    old = [(await world.api.post(path, _settings(name))).metadata["uid"] for name in ("kept", "remade", "gone")]
    await world.known(f"ConfigMap/{namespace}/gone")
    world.service("watcher").kill()
    await world.api.delete(f"{path}/gone")
    await world.api.delete(f"{path}/remade")
    remade = (await world.api.post(path, _settings("remade"))).metadata["uid"]
    await world.bed.start_services(LYON)
    await world.known(f"ConfigMap/{namespace}/gone", there=False)
    await world.converged()
    states = {one.resource: one.uid async for one in world.mesh.states(kinds=["configmaps"], site=LYON)}
    assert states[f"ConfigMap/{namespace}/kept"] == old[0]
    assert states[f"ConfigMap/{namespace}/remade"] == remade != old[1]


@pytest.mark.parametrize("delay_ms", [0, 10])
async def test_a_resolver_killed_after_its_verdict_does_each_step_once(world: World, delay_ms: int) -> None:
    namespace = await world.namespace(f"cut-{delay_ms}")
    manifests = [_settings(f"one-{number}", k="v") for number in range(5)]
    intent = await world.mesh.enter(Intent.create(manifests, namespace=namespace), site=LYON)
    bus = await witness(world.bed)
    async with bus.subscribe(subjects.verdict(LYON, "*", intent.id)) as verdicts:
        await world.mesh.publish(intent)
        await asyncio.wait_for(anext(verdicts), WAIT_S)
        await lasting(delay_ms / 1000)  # the cut moves through what follows the verdict
        world.service("resolver").kill()
    await bus.close()
    await world.bed.start_services(LYON)
    async with asyncio.timeout(WAIT_S):
        async for progress in world.mesh.follow(intent, publish=False):
            assert progress.verdict.decision == "allow"
    chain = await world.mesh.show(intent.id)
    assert [one.revision for one in chain.verdicts] == [1]
    final = [one for one in chain.outcomes if one.state == "ready"]
    assert sorted(one.step for one in final) == ["1", "2", "3", "4", "5"]
    listed = await world.api.get(f"/api/v1/namespaces/{namespace}/configmaps")
    versions = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in listed.content["items"]}
    for one in final:  # written once: nobody has written it again since
        assert versions[one.resource.rpartition("/")[2]] == one.resource_version
    await world.converged()


@pytest.mark.parametrize("delay_ms", [0, 15])
async def test_an_executor_killed_on_its_way_finds_its_effect_again(world: World, delay_ms: int) -> None:
    namespace = await world.namespace(f"hand-{delay_ms}")
    intent = await world.mesh.enter(Intent.create([_settings("one", k="v")], namespace=namespace), site=LYON)
    bus = await witness(world.bed)
    async with bus.subscribe(subjects.filters("OPERATIONS", LYON)) as operations:
        await world.mesh.publish(intent)
        await asyncio.wait_for(anext(operations), WAIT_S)
        await lasting(delay_ms / 1000)  # before the call, in it, after it, after the outcome
        world.service("executor").kill()
    await bus.close()
    await world.bed.start_services(LYON)
    async with asyncio.timeout(WAIT_S):
        async for progress in world.mesh.follow(intent, publish=False):
            if progress.outcome is not None:
                assert progress.outcome.state in ("begun", "applied", "ready", "done", "conflict")
    found = await world.api.get(f"/api/v1/namespaces/{namespace}/configmaps/one")
    assert found.status == 200
    owners = [one for one in found.metadata["managedFields"] if one["manager"] == "cheops"]
    assert len(owners) == 1
    chain = await world.mesh.show(intent.id)
    assert chain.verdicts[-1].decision == "allow"
    await world.converged()


async def test_an_api_server_that_is_killed_and_restarted_costs_nothing_but_time(world: World) -> None:
    namespace = await world.namespace("restarted")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await world.api.post(path, _settings("before"))
    await world.known(f"ConfigMap/{namespace}/before")
    await world.plane.restart_apiserver()
    await _made(world, path, _settings("after"))
    await world.known(f"ConfigMap/{namespace}/after")
    done = await world.follow(Intent.delete("configmap/before", namespace=namespace))
    assert done[-1].outcome is not None
    assert done[-1].outcome.state == "done"
    await world.converged()


async def test_a_nats_server_that_is_killed_and_restarted_loses_no_intent(world: World) -> None:
    namespace = await world.namespace("busless")
    made = await world.follow(Intent.create([_settings("one")], namespace=namespace), intent_id="i-before-the-kill")
    assert made[-1].outcome is not None
    world.bed.nats.kill()
    await world.bed.nats.start()

    async def followed() -> list[Progress]:
        with suppress(Exception):  # the client of this test, too, has to come back
            return await world.follow(Intent.delete("configmap/one", namespace=namespace))
        return []

    done = await eventually(followed, "nobody comes back", WAIT_S)
    assert done[-1].outcome is not None
    assert done[-1].outcome.state == "done"
    chain = await world.mesh.show("i-before-the-kill")
    assert [one.decision for one in chain.verdicts] == ["allow"]
    await world.bed.wait_fresh(WAIT_S)
    await until_equal(world.mesh, world.api, LYON)


async def test_a_kind_that_rbac_hides_is_unknown_until_it_may_be_seen(world: World) -> None:
    """The watcher runs as somebody who may see everything but Secrets."""
    namespace = await world.namespace("hidden")
    visitor = await _visitor(world, namespace)
    world.service("watcher").kill()
    await world.bed.start_service(LYON, "watcher", {"CHEOPS_KUBECONFIG": str(visitor)})
    delete = Intent.delete("serviceaccount/default", namespace=namespace, preview=True)
    try:
        await _blind(world, True)
        told = (await world.cheops("sites")).stdout
        assert "Secret" in told, told
        assert "forbidden" in told, told

        async def deferred() -> Verdict | None:
            found = await world.mesh.submit(Intent.delete("secret/none", namespace=namespace), site=LYON)
            unseen = found.decision == "defer" and {one.code for one in found.reasons} == {"F503"}
            return found if unseen else None

        asked = await eventually(deferred, "what nobody sees is decided", WAIT_S)
        assert asked.waits_for[0].kind == "Secret"
        await world.mesh.cancel(asked.intent, site=LYON)
        rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}]
        role = {"metadata": {"name": "sees-secrets"}, "rules": rules}
        await world.api.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
        await world.api.post(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", _bound("sees-secrets", namespace)
        )
        await _blind(world, False)
        await world.converged()
    finally:
        world.service("watcher").kill()
        await world.bed.start_service(LYON, "watcher")
    await world.converged()

    async def heard() -> bool:
        return (await world.mesh.submit(delete, site=LYON)).decision != "defer"

    await eventually(heard, "the watcher that was just started is not heard", WAIT_S)


async def _blind(world: World, blind: bool) -> None:
    async def so() -> bool:
        return ("Secret" in (await world.mesh.status(LYON)).blind) == blind

    await eventually(so, f"blind for Secrets: {not blind}", WAIT_S)


async def _visitor(world: World, namespace: str) -> Any:
    """A ServiceAccount that may see all groups, and of the core group all but Secrets; its kubeconfig."""
    core = [
        row["name"]
        for row in (await world.api.get("/api/v1")).content["resources"]
        if row["name"] != "secrets" and "/" not in row["name"]
    ]
    groups = [one["name"] for one in (await world.api.get("/apis")).content["groups"]]
    verbs = ["get", "list", "watch"]
    rules: list[dict[str, Any]] = [
        {"apiGroups": [""], "resources": core, "verbs": verbs},
        {"apiGroups": groups, "resources": ["*"], "verbs": verbs},
        {"nonResourceURLs": ["*"], "verbs": ["get"]},
    ]
    await world.api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "visitor"}})
    await world.api.post(f"{RBAC}/clusterroles", {"metadata": {"name": "sees-most"}, "rules": rules})
    await world.api.post(f"{RBAC}/clusterrolebindings", _bound("sees-most", namespace))
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/visitor/token"
    token = (await world.api.post(path, {"spec": {"expirationSeconds": 3600}})).content["status"]["token"]
    file = world.bed.directory / "visitor.kubeconfig"
    write_kubeconfig(
        file,
        context=LYON,
        user="visitor",
        server_url=world.plane.server_url,
        ca_file=world.plane.ca_file,
        token=token,
    )
    return file


def _bound(role: str, namespace: str) -> dict[str, Any]:
    return {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "visitor", "namespace": namespace}],
    }
