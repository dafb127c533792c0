"""What a cluster does on its own: workloads get ready, services find their pods, claims are bound, jobs finish."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.contract.api.client import Api, Content
from tests.contract.api.things import (
    condition,
    configmap,
    configmaps,
    deployment,
    deployments,
    owned_by,
    pod,
    pods,
    replicasets,
    services,
)

Found = Content | None


def is_ready(replicas: int) -> Any:
    def ready(found: Found) -> bool:
        status = (found or {}).get("status", {})
        current = status.get("observedGeneration") == (found or {}).get("metadata", {}).get("generation")
        return current and status.get("readyReplicas", 0) == replicas and status.get("replicas", 0) == replicas

    return ready


async def made_by(api: Api, collection: str, owner: Content) -> list[Content]:
    items: list[Content] = (await api.get(collection)).content["items"]
    uid = owner["metadata"]["uid"]
    return [one for one in items if uid in {ref["uid"] for ref in one["metadata"].get("ownerReferences", ())}]


async def test_a_deployment_makes_a_replica_set_which_makes_pods_that_get_ready(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 2))
    ready = await api.until(deployments(namespace), "web", is_ready(2))
    assert ready is not None
    assert condition(ready, "Available") == "True"
    assert condition(ready, "Progressing") == "True"
    assert ready["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}
    (replica_set,) = await made_by(api, replicasets(namespace), ready)
    hash_label = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{hash_label}"
    assert replica_set["metadata"]["ownerReferences"][0]["controller"] is True
    made = await made_by(api, pods(namespace), replica_set)
    assert len(made) == 2
    for one in made:
        assert one["metadata"]["generateName"] == f"web-{hash_label}-"
        assert one["metadata"]["labels"] == {"app": "web", "pod-template-hash": hash_label}
        assert one["status"]["phase"] == "Running"
        assert condition(one, "Ready") == "True"


async def test_a_new_image_rolls_out_in_a_new_replica_set(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 2))
    await api.until(deployments(namespace), "web", is_ready(2))
    template = {"spec": {"containers": [{"name": "main", "image": "example/web:2"}]}}
    await api.patch(f"{deployments(namespace)}/web", {"spec": {"template": template}})

    def rolled_out(found: Found) -> bool:
        status = (found or {})["status"]
        return is_ready(2)(found) and status.get("updatedReplicas") == 2

    done = await api.until(deployments(namespace), "web", rolled_out)
    assert done is not None
    assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    sets = await made_by(api, replicasets(namespace), done)
    assert sorted(one["spec"]["replicas"] for one in sets) == [0, 2]


async def test_scaling_adds_and_removes_pods(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 1))
    for replicas in (3, 1, 0):
        await api.patch(f"{deployments(namespace)}/web/scale", {"spec": {"replicas": replicas}})
        await api.until(deployments(namespace), "web", is_ready(replicas))
        await api.until_true(partial(_are_there, api, namespace, replicas))
        found = await api.get(f"{deployments(namespace)}/web/scale")
        assert found.content["spec"].get("replicas", 0) == replicas


async def _are_there(api: Api, namespace: str, count: int) -> bool:
    """A pod that goes is there for a moment still."""
    return len((await api.get(pods(namespace))).content["items"]) == count


async def test_a_deleted_pod_of_a_replica_set_is_replaced(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 1))
    await api.until(deployments(namespace), "web", is_ready(1))
    (first,) = (await api.get(pods(namespace))).content["items"]
    async with api.watch(pods(namespace), labelSelector="app=web") as events:
        await api.delete(f"{pods(namespace)}/{first['metadata']['name']}")
        async for event in events:
            if event["object"]["metadata"]["uid"] != first["metadata"]["uid"]:
                break
    await api.until(deployments(namespace), "web", is_ready(1))
    names = [one["metadata"]["name"] for one in (await api.get(pods(namespace))).content["items"]]
    assert [one for one in names if one != first["metadata"]["name"]], names


async def test_deleting_a_deployment_takes_its_replica_sets_and_pods_along(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 1))
    await api.until(deployments(namespace), "web", is_ready(1))
    (one,) = (await api.get(pods(namespace))).content["items"]
    await api.delete(f"{deployments(namespace)}/web", propagationPolicy="Foreground")
    await api.until_gone(deployments(namespace), "web")
    await api.until_gone(pods(namespace), one["metadata"]["name"])
    assert (await api.get(replicasets(namespace))).content["items"] == []


async def test_orphaned_replica_sets_stay_and_are_adopted_again(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 1))
    await api.until(deployments(namespace), "web", is_ready(1))
    (before,) = (await api.get(replicasets(namespace))).content["items"]
    await api.delete(f"{deployments(namespace)}/web", propagationPolicy="Orphan")
    await api.until_gone(deployments(namespace), "web")
    (orphan,) = (await api.get(replicasets(namespace))).content["items"]
    assert orphan["metadata"]["uid"] == before["metadata"]["uid"]
    assert "ownerReferences" not in orphan["metadata"]
    again = await api.post(deployments(namespace), deployment("web", 1))
    uid = again.metadata["uid"]
    await api.until(
        replicasets(namespace),
        before["metadata"]["name"],
        lambda found: [ref["uid"] for ref in (found or {})["metadata"].get("ownerReferences", ())] == [uid],
    )


async def test_endpoint_slices_follow_the_ready_pods_of_a_service(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 1))
    body = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    service = await api.post(services(namespace), body)
    await api.until(deployments(namespace), "web", is_ready(1))
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    async with api.watch(slices, labelSelector="kubernetes.io/service-name=web") as events:
        async for event in events:
            found = event["object"]
            if [one["conditions"]["ready"] for one in found.get("endpoints") or ()] == [True]:
                break
    assert found["metadata"]["ownerReferences"][0]["uid"] == service.metadata["uid"]
    assert found["metadata"]["generateName"] == "web-"
    assert found["endpoints"][0]["targetRef"]["kind"] == "Pod"
    assert found["addressType"] == "IPv4"
    assert found["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
    await api.delete(f"{services(namespace)}/web")
    await api.until_gone(slices, found["metadata"]["name"])


async def test_a_stateful_set_makes_numbered_pods_in_order(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    body = deployment("db", 2)
    body |= {"kind": "StatefulSet", "spec": {**body["spec"], "serviceName": "db"}}
    assert (await api.post(path, body)).status == 201
    await api.until(path, "db", is_ready(2))
    names = [one["metadata"]["name"] for one in (await api.get(pods(namespace))).content["items"]]
    assert names == ["db-0", "db-1"]


async def test_a_daemon_set_puts_a_pod_on_each_node(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    body = deployment("agent")
    body["kind"] = "DaemonSet"
    del body["spec"]["replicas"]
    await api.post(path, body)
    nodes = (await api.get("/api/v1/nodes")).content["items"]
    made = await api.until(path, "agent", lambda found: (found or {})["status"].get("numberReady") == len(nodes))
    assert made is not None
    assert made["status"]["desiredNumberScheduled"] == len(nodes)


async def test_a_pod_waits_for_the_config_map_that_it_needs(api: Api, namespace: str) -> None:
    """Where the kubelet is real enough to look (kwok is not), so only the embedded one is asked to wait."""
    await api.post(configmaps(namespace), configmap("settings", {"k": "v"}))
    source = [{"configMapRef": {"name": "settings"}}]
    containers = [{"name": "main", "image": "example/web:1", "envFrom": source}]
    await api.post(pods(namespace), pod("a", containers=containers))
    started = await api.until(pods(namespace), "a", lambda found: condition(found, "Ready") == "True")
    assert started is not None
    assert started["status"]["phase"] == "Running"


async def test_a_variable_waits_for_its_key_in_the_data_of_a_config_map_and_a_volume_takes_binary_data(
    api: Api, namespace: str, engine: str
) -> None:
    await api.post(configmaps(namespace), {**configmap("settings"), "binaryData": {"k": "AA=="}})
    volume = {"name": "v", "configMap": {"name": "settings", "items": [{"key": "k", "path": "k"}]}}
    await api.post(pods(namespace), pod("mounts", volumes=[volume]))
    variable = {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "k"}}}
    containers = [{"name": "main", "image": "example/web:1", "env": [variable]}]
    await api.post(pods(namespace), pod("reads", containers=containers))
    assert await api.until(pods(namespace), "mounts", lambda found: condition(found, "Ready") == "True")
    if engine == "embedded":  # kwok looks at no ConfigMap
        found = await api.until(pods(namespace), "reads", lambda found: condition(found, "Ready") == "False")
        assert found is not None
        assert found["status"]["phase"] == "Pending"
        await api.patch(f"{configmaps(namespace)}/settings", {"binaryData": None, "data": {"k": "v"}})
    assert await api.until(pods(namespace), "reads", lambda found: condition(found, "Ready") == "True")


async def test_garbage_of_any_kind_is_collected_across_kinds(api: Api, namespace: str) -> None:
    owner = await api.post(configmaps(namespace), configmap("owner"))
    body = {
        "metadata": {"name": "owned", "ownerReferences": [owned_by(owner.content)]},
        "spec": {"ports": [{"port": 1}]},
    }
    await api.post(services(namespace), body)
    await api.delete(f"{configmaps(namespace)}/owner")
    await api.until_gone(services(namespace), "owned")
    assert (await api.get(f"{services(namespace)}/owned")).status == 404
