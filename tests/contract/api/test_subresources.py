"""Subresources: status and scale, which change their part of an object and nothing else."""

from __future__ import annotations

from tests.contract.api.client import JSON_PATCH, STRATEGIC, Api
from tests.contract.api.things import condition, deployment, deployments, pod, pods, replicasets


async def test_the_status_is_written_by_its_subresource_and_the_rest_is_not(api: Api, namespace: str) -> None:
    path = f"{pods(namespace)}/a"
    created = await api.post(pods(namespace), pod("a", schedulingGates=[{"name": "example.com/wait"}]))
    body = {**created.content, "metadata": {**created.metadata, "labels": {"x": "y"}}}
    body["metadata"].pop("resourceVersion")
    body["status"] = {**body["status"], "message": "hello"}
    body["spec"] = {**body["spec"], "priority": 7}
    written = await api.put(f"{path}/status", body)
    assert written.status == 200, written.text
    assert written.content["status"]["message"] == "hello"
    assert written.content["spec"] == created.content["spec"]
    assert written.metadata["generation"] == 1


async def test_a_write_of_the_object_leaves_the_status_alone(api: Api, namespace: str) -> None:
    path = f"{pods(namespace)}/a"
    await api.post(pods(namespace), pod("a", schedulingGates=[{"name": "example.com/wait"}]))
    patched = await api.patch(path, {"status": {"message": "not here"}})
    assert patched.status == 200
    assert "message" not in patched.content["status"]


async def test_conditions_merge_by_type_in_a_patch_of_the_status(api: Api, namespace: str) -> None:
    path = f"{pods(namespace)}/a/status"
    await api.post(pods(namespace), pod("a", schedulingGates=[{"name": "example.com/wait"}]))
    for kind in ("example.com/One", "example.com/Two"):
        patched = await api.patch(path, {"status": {"conditions": [{"type": kind, "status": "True"}]}}, STRATEGIC)
        assert patched.status == 200, patched.text
    assert condition(patched.content, "example.com/One") == "True"
    assert condition(patched.content, "example.com/Two") == "True"
    managed = [one for one in patched.metadata["managedFields"] if one.get("subresource") == "status"]
    assert managed
    assert {part for one in managed for part in one["fieldsV1"]} == {"f:status"}


async def test_an_applied_status_is_owned_apart(api: Api, namespace: str) -> None:
    path = f"{pods(namespace)}/a/status"
    await api.post(pods(namespace), pod("a", schedulingGates=[{"name": "example.com/wait"}]))
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": {"message": "hello"}}
    applied = await api.apply(path, body, "me")
    assert applied.status == 200, applied.text
    mine = next(one for one in applied.metadata["managedFields"] if one["manager"] == "me")
    assert (mine["subresource"], mine["fieldsV1"]) == ("status", {"f:status": {"f:message": {}}})
    missing = await api.apply(f"{pods(namespace)}/none/status", {**body, "metadata": {"name": "none"}}, "me")
    assert (missing.status, missing.reason) == (404, "NotFound")


async def test_scale_is_one_form_for_many_kinds(api: Api, namespace: str) -> None:
    for collection in (deployments(namespace), replicasets(namespace)):
        body = {**deployment("a", 0), "kind": "Deployment" if "deployments" in collection else "ReplicaSet"}
        created = await api.post(collection, body)
        assert created.status == 201, created.text
        scale = await api.get(f"{collection}/a/scale")
        assert (scale.content["kind"], scale.content["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert scale.metadata["uid"] == created.metadata["uid"]
        assert scale.content["spec"] == {}
        assert scale.content["status"] == {"replicas": 0, "selector": "app=a"}
        scaled = await api.put(
            f"{collection}/a/scale", {**scale.content, "spec": {"replicas": 2}} | fresh(scale.content)
        )
        assert scaled.status == 200, scaled.text
        assert scaled.content["spec"] == {"replicas": 2}
        found = await api.get(f"{collection}/a")
        assert (found.content["spec"]["replicas"], found.metadata["generation"]) == (2, 2)
        await api.delete(f"{collection}/a")


def fresh(scale: dict[str, object]) -> dict[str, object]:
    """Without the version, which controllers move on."""
    metadata = dict(scale["metadata"])  # type: ignore[call-overload]  # content is JSON
    metadata.pop("resourceVersion")
    return {"metadata": metadata}


async def test_scale_is_patched_too_and_owned_by_the_patcher(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("a", 1))
    path = f"{deployments(namespace)}/a"
    merged = await api.patch(f"{path}/scale", {"spec": {"replicas": 3}}, fieldManager="scaler")
    assert (merged.status, merged.content["spec"]["replicas"]) == (200, 3)
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 2}]
    patched = await api.patch(f"{path}/scale", operations, JSON_PATCH, fieldManager="scaler")
    assert (patched.status, patched.content["spec"]["replicas"]) == (200, 2)
    found = await api.get(path)
    mine = next(one for one in found.metadata["managedFields"] if one["manager"] == "scaler")
    assert (mine["subresource"], mine["operation"]) == ("scale", "Update")
    assert mine["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


async def test_a_scale_that_cannot_be_is_refused(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("a", 1))
    refused = await api.patch(f"{deployments(namespace)}/a/scale", {"spec": {"replicas": -1}})
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in refused.message
    typed = await api.patch(f"{deployments(namespace)}/a/scale", {"spec": {"replicas": "many"}})
    assert typed.status in (400, 422)
    missing = await api.patch(f"{deployments(namespace)}/none/scale", {"spec": {"replicas": 1}})
    assert missing.message == 'deployments.apps "none" not found'


async def test_a_subresource_that_a_kind_does_not_have_is_404(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt/status"
    refused = await api.get(path)
    assert (refused.status, refused.reason) == (404, "NotFound")
    assert refused.message == "the server could not find the requested resource"


async def test_a_pod_is_evicted_by_posting_to_it(api: Api, namespace: str) -> None:
    await api.post(pods(namespace), pod("a"))
    await api.until(pods(namespace), "a", lambda found: condition(found, "Ready") == "True")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a", "namespace": namespace}}
    evicted = await api.post(f"{pods(namespace)}/a/eviction", eviction)
    assert (evicted.status, evicted.content["status"]) == (201, "Success")
    await api.until_gone(pods(namespace), "a")


async def test_a_service_account_gives_tokens(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    given = await api.post(path, {"spec": {"expirationSeconds": 3600}})
    assert given.status == 201, given.text
    assert (given.content["kind"], given.content["spec"]["expirationSeconds"]) == ("TokenRequest", 3600)
    assert given.content["status"]["token"]
