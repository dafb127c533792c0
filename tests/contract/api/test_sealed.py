"""What may never change again, faults that hide a kind, and versions that are too old."""

from __future__ import annotations

from typing import Any

import pytest

from cheops.sandbox.apiserver import EmbeddedCluster
from tests.contract.api.client import Api, Content
from tests.contract.api.things import configmap, configmaps, deployment, deployments, secrets


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
async def test_an_immutable_config_keeps_its_data_and_its_seal(api: Api, namespace: str, kind: str) -> None:
    collection = configmaps(namespace) if kind == "ConfigMap" else secrets(namespace)
    await api.post(collection, {"metadata": {"name": "a"}, "data": {"k": "dg=="}, "immutable": True})
    for change in ({"data": {"k": "dw=="}}, {"data": {"l": "dg=="}}, {"immutable": False}, {"immutable": None}):
        refused = await api.patch(f"{collection}/a", change)
        assert (refused.status, refused.reason) == (422, "Invalid")
        assert refused.message.startswith(f'{kind} "a" is invalid: ')
        assert "Forbidden: field is immutable when `immutable` is set" in refused.message
    labelled = await api.patch(f"{collection}/a", {"metadata": {"labels": {"x": "y"}}})
    assert labelled.status == 200
    assert (await api.delete(f"{collection}/a")).status == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec": {"selector": {"matchLabels": {"app": "other"}}}}, "field is immutable"),
        ({"spec": {"replicas": -1}}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    ],
)
async def test_a_deployment_refuses_what_cannot_be(api: Api, namespace: str, change: Content, message: str) -> None:
    await api.post(deployments(namespace), deployment("a", 0))
    refused = await api.patch(f"{deployments(namespace)}/a", change)
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert message in refused.message


async def test_a_priority_and_the_sort_of_addresses_stay_as_they_are(api: Api, namespace: str) -> None:
    classes, slices = "/apis/scheduling.k8s.io/v1/priorityclasses", f"/apis/discovery.k8s.io/v1/namespaces/{namespace}"
    name = f"class-of-{namespace}"
    await api.post(classes, {"metadata": {"name": name}, "value": 10})
    refused = await api.patch(f"{classes}/{name}", {"value": 20})
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert "value: Forbidden: may not be changed in an update." in refused.message
    never = await api.patch(f"{classes}/{name}", {"preemptionPolicy": "Never"})
    assert 'preemptionPolicy: Invalid value: "Never": field is immutable' in never.message
    await api.delete(f"{classes}/{name}")
    await api.post(f"{slices}/endpointslices", {"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": []})
    refused = await api.patch(f"{slices}/endpointslices/a", {"addressType": "IPv6"})
    assert 'addressType: Invalid value: "IPv6": field is immutable' in refused.message


async def test_a_claim_is_bound_to_a_volume(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    size = {"requests": {"storage": "1Gi"}}
    name = f"volume-of-{namespace}"
    volume: dict[str, Any] = {"metadata": {"name": name}, "spec": {"capacity": {"storage": "1Gi"}}}
    volume["spec"] |= {"accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/none"}, "storageClassName": name}
    created = await api.post("/api/v1/persistentvolumes", volume)
    assert created.status == 201, created.text
    volumes = "/api/v1/persistentvolumes"
    await api.until(volumes, name, lambda found: (found or {})["status"]["phase"] == "Available")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": size, "storageClassName": name}
    await api.post(path, {"metadata": {"name": "data"}, "spec": spec})
    bound = await api.until(path, "data", lambda found: (found or {})["status"]["phase"] == "Bound")
    assert bound is not None
    assert bound["spec"]["volumeName"] == name
    found = await api.get(f"/api/v1/persistentvolumes/{name}")
    assert found.content["spec"]["claimRef"]["uid"] == bound["metadata"]["uid"]
    await api.delete(f"{path}/data")
    await api.delete(f"/api/v1/persistentvolumes/{name}")


async def test_a_finished_job_says_so(api: Api, namespace: str) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example/job:1"}]}}
    await api.post(path, {"metadata": {"name": "once"}, "spec": {"template": template}})

    def is_complete(found: Content | None) -> bool:
        conditions = (found or {}).get("status", {}).get("conditions", ())
        return any((one["type"], one["status"]) == ("Complete", "True") for one in conditions)

    done = await api.until(path, "once", is_complete)
    assert done is not None
    assert done["status"]["succeeded"] == 1


async def test_a_version_from_long_ago_is_410_as_a_status_or_as_an_event(api: Api) -> None:
    """Only the embedded history can be forgotten on demand; the form of the answer is the same."""
    async with EmbeddedCluster("oslo") as cluster:
        other = api.at(cluster.server_url)
        created = await other.post(configmaps("default"), configmap("a"))
        cluster.faults.forget_history()
        await other.post(configmaps("default"), configmap("b"))
        cluster.faults.forget_history()
        async with other.watch(configmaps("default"), resourceVersion=created.version) as events:
            event = await anext(events)
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        old = await other.get(configmaps("default"), resourceVersion=created.version, resourceVersionMatch="Exact")
        assert (old.status, old.reason) == (410, "Expired")
