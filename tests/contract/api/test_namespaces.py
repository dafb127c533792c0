"""Namespaces: what a new one gets, and how one ends with everything in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.api.client import Api, Content
from tests.contract.api.things import condition, configmap, configmaps, deployment, deployments, pods

NAMESPACES = "/api/v1/namespaces"


@pytest.fixture
async def ending(api: Api, namespace: str) -> str:
    """A namespace that has begun to end and is held by a finalizer of a config map in it."""
    await api.post(configmaps(namespace), configmap("held", finalizers=["example.com/wait"]))
    deleted = await api.delete(f"{NAMESPACES}/{namespace}")
    assert (deleted.status, deleted.content["status"]["phase"]) == (200, "Terminating")
    return namespace


async def test_a_new_namespace_gets_an_account_and_the_certificate(api: Api, namespace: str) -> None:
    found = await api.get(f"{NAMESPACES}/{namespace}")
    assert found.content["status"] == {"phase": "Active"}
    assert found.content["spec"] == {"finalizers": ["kubernetes"]}
    assert found.metadata["labels"] == {"kubernetes.io/metadata.name": namespace}
    certificate = await api.get(f"{configmaps(namespace)}/kube-root-ca.crt")
    assert list(certificate.content["data"]) == ["ca.crt"]
    assert "kubernetes.io/description" in certificate.metadata["annotations"]


async def test_the_account_and_the_certificate_come_back_when_deleted(api: Api, namespace: str) -> None:
    for collection, name in (("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")):
        path = f"{NAMESPACES}/{namespace}/{collection}"
        old = await api.get(f"{path}/{name}")
        await api.delete(f"{path}/{name}")
        again = await api.until(path, name, is_other_than(old.metadata["uid"]))
        assert again is not None
        assert again["metadata"]["name"] == name


def is_other_than(uid: str) -> Callable[[Content | None], bool]:
    return lambda found: found is not None and found["metadata"]["uid"] != uid


async def test_nothing_is_created_in_a_namespace_that_ends(api: Api, ending: str) -> None:
    refused = await api.post(configmaps(ending), configmap("late"))
    assert refused.content == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'configmaps "late" is forbidden: unable to create new content in namespace {ending} because it is '
        "being terminated",
        "reason": "Forbidden",
        "details": {
            "name": "late",
            "kind": "configmaps",
            "causes": [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {ending} is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        },
        "code": 403,
    }
    await api.patch(f"{configmaps(ending)}/held", {"metadata": {"finalizers": None}})


async def test_what_holds_a_namespace_is_told_in_its_conditions(api: Api, ending: str) -> None:
    def is_told(found: Content | None) -> bool:
        return condition(found, "NamespaceFinalizersRemaining") == "True"

    found = await api.until(NAMESPACES, ending, is_told)
    assert found is not None
    told = {one["type"]: one for one in found["status"]["conditions"]}
    assert told["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances"
    )
    assert told["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: configmaps. has 1 resource instances"
    )
    await api.patch(f"{configmaps(ending)}/held", {"metadata": {"finalizers": None}})


async def test_deleting_it_again_changes_nothing(api: Api, ending: str) -> None:
    again = await api.delete(f"{NAMESPACES}/{ending}")
    assert (again.status, again.content["status"]["phase"]) == (200, "Terminating")
    await api.patch(f"{configmaps(ending)}/held", {"metadata": {"finalizers": None}})


async def test_everything_in_it_goes_with_it(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a"))
    await api.post(deployments(namespace), deployment("web", 2))
    await api.until(deployments(namespace), "web", lambda found: (found or {})["status"].get("readyReplicas") == 2)
    async with api.watch(NAMESPACES, fieldSelector=f"metadata.name={namespace}") as events:
        assert (await anext(events))["type"] == "ADDED"
        await api.delete(f"{NAMESPACES}/{namespace}")
        async for event in events:
            if event["type"] == "DELETED":
                break
    for path in (configmaps(namespace), deployments(namespace), pods(namespace)):
        assert (await api.get(path)).content["items"] == []


async def test_a_namespace_that_does_not_exist_takes_nothing(api: Api) -> None:
    refused = await api.post(configmaps("nowhere"), configmap("a"))
    assert (refused.status, refused.message) == (404, 'namespaces "nowhere" not found')


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_some_namespaces_cannot_be_deleted(api: Api, name: str) -> None:
    refused = await api.delete(f"{NAMESPACES}/{name}")
    assert (refused.status, refused.reason) == (403, "Forbidden")
    assert refused.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'
