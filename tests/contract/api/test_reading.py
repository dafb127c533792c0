"""Get and list: items, pages, selectors, versions."""

from __future__ import annotations

import pytest

from tests.contract.api.client import Api, Reply
from tests.contract.api.things import configmap, configmaps, deployment, deployments, pod, pods


def _names(reply: Reply) -> list[str]:
    return [item["metadata"]["name"] for item in reply.content["items"]]


async def _create(api: Api, namespace: str, *names: str) -> None:
    for name in names:
        created = await api.post(configmaps(namespace), configmap(name, labels={"set": "mine", "own": name}))
        assert created.status == 201, created.text


async def test_get_gives_kind_and_version_and_items_of_a_list_do_not(api: Api, namespace: str) -> None:
    await _create(api, namespace, "a")
    one = (await api.get(f"{configmaps(namespace)}/a")).content
    assert (one["kind"], one["apiVersion"]) == ("ConfigMap", "v1")
    listed = (await api.get(configmaps(namespace), labelSelector="set=mine")).content
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert "kind" not in listed["items"][0]
    assert "apiVersion" not in listed["items"][0]
    assert listed["items"][0]["metadata"] == one["metadata"]


async def test_what_is_not_there_is_404_with_its_name_and_resource(api: Api, namespace: str) -> None:
    missing = await api.get(f"{deployments(namespace)}/none")
    assert (missing.status, missing.reason) == (404, "NotFound")
    assert missing.message == 'deployments.apps "none" not found'
    assert missing.content["details"] == {"name": "none", "group": "apps", "kind": "deployments"}


async def test_an_empty_list_is_a_list_also_in_a_namespace_that_does_not_exist(api: Api, namespace: str) -> None:
    listed = await api.get("/api/v1/namespaces/not-there/configmaps")
    assert (listed.status, listed.content["items"]) == (200, [])


async def test_lists_are_in_the_order_of_namespaces_and_names(api: Api, namespace: str) -> None:
    await _create(api, namespace, "b", "a", "c")
    assert _names(await api.get(configmaps(namespace), labelSelector="set=mine")) == ["a", "b", "c"]
    everywhere = (await api.get("/api/v1/configmaps")).content["items"]
    keys = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in everywhere]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("own=a", ["a"]),
        ("own==a", ["a"]),
        ("own!=a,set=mine", ["b", "c"]),
        ("own in (a,b)", ["a", "b"]),
        ("own notin (a, b),set", ["c"]),
        ("set,own=c", ["c"]),
        ("!set,own=a", []),
        ("nothing", []),
    ],
)
async def test_label_selectors(api: Api, namespace: str, selector: str, expected: list[str]) -> None:
    await _create(api, namespace, "a", "b", "c")
    assert _names(await api.get(configmaps(namespace), labelSelector=selector)) == expected


async def test_field_selectors_know_name_namespace_and_some_fields_of_some_kinds(api: Api, namespace: str) -> None:
    await _create(api, namespace, "a", "b")
    path = configmaps(namespace)
    assert _names(await api.get(path, fieldSelector="metadata.name=a")) == ["a"]
    assert "a" not in _names(await api.get(path, fieldSelector="metadata.name!=a"))
    assert _names(await api.get("/api/v1/configmaps", fieldSelector=f"metadata.namespace={namespace},metadata.name=b"))
    await api.post(pods(namespace), pod("never", nodeSelector={"none": "such"}))
    assert _names(await api.get(pods(namespace), fieldSelector="status.phase=Pending,spec.nodeName=")) == ["never"]


async def test_selectors_that_cannot_be_are_400(api: Api, namespace: str) -> None:
    assert (await api.get(configmaps(namespace), labelSelector="a=in(")).status == 400
    unknown = await api.get(configmaps(namespace), fieldSelector="data.x=1")
    assert (unknown.status, unknown.reason) == (400, "BadRequest")
    assert unknown.message.startswith('"data.x" is not a known field selector')


async def test_pages_cover_the_list_once_and_say_how_many_remain(api: Api, namespace: str) -> None:
    await _create(api, namespace, *(f"c{number}" for number in range(5)))
    total = len((await api.get(configmaps(namespace))).content["items"])
    seen, token, first_version = [], "", ""
    while True:
        page = await api.get(configmaps(namespace), limit=2, **({"continue": token} if token else {}))
        assert page.status == 200
        seen += _names(page)
        first_version = first_version or page.version
        assert page.version == first_version
        token = page.metadata.get("continue", "")
        assert page.metadata.get("remainingItemCount", 0) == total - len(seen)
        if not token:
            break
    assert seen == sorted(set(seen))
    assert len(seen) == total


async def test_all_pages_are_of_the_version_of_the_first(api: Api, namespace: str) -> None:
    await _create(api, namespace, "a", "b", "c")
    page = await api.get(configmaps(namespace), limit=1)
    await api.delete(f"{configmaps(namespace)}/c")
    await _create(api, namespace, "bb")
    rest = await api.get(configmaps(namespace), limit=500, **{"continue": page.metadata["continue"]})
    assert [name for name in _names(rest) if name != "kube-root-ca.crt"] == ["b", "c"]


async def test_a_page_with_a_selector_does_not_claim_to_know_what_remains(api: Api, namespace: str) -> None:
    await _create(api, namespace, "a", "b")
    page = await api.get(configmaps(namespace), limit=1, labelSelector="set=mine")
    assert page.metadata["continue"]
    assert "remainingItemCount" not in page.metadata


async def test_a_broken_continue_token_is_400(api: Api, namespace: str) -> None:
    broken = await api.get(configmaps(namespace), **{"continue": "abc"})
    assert broken.status == 400
    assert "continue key is not valid" in broken.message


async def test_an_exact_version_shows_the_past(api: Api, namespace: str) -> None:
    await _create(api, namespace, "a")
    before = await api.get(configmaps(namespace))
    await api.delete(f"{configmaps(namespace)}/a")
    await _create(api, namespace, "b")
    past = await api.get(configmaps(namespace), resourceVersion=before.version, resourceVersionMatch="Exact")
    assert "a" in _names(past)
    assert "b" not in _names(past)
    assert past.version == before.version


async def test_versions_that_are_not_there_yet_are_504_with_retry_after(api: Api, namespace: str) -> None:
    future = await api.get(configmaps(namespace), resourceVersion=99_999_999)
    assert (future.status, future.reason) == (504, "Timeout")
    assert future.content["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert future.headers["Retry-After"] == "1"


async def test_version_parameters_are_checked(api: Api, namespace: str) -> None:
    lonely = await api.get(configmaps(namespace), resourceVersionMatch="Exact")
    assert (lonely.status, lonely.reason) == (422, "Invalid")
    assert lonely.causes[0]["field"] == "resourceVersionMatch"
    assert (await api.get(configmaps(namespace), resourceVersion="abc")).status == 400


async def test_version_0_is_answered_whole_from_what_is_at_hand(api: Api, namespace: str) -> None:
    await _create(api, namespace, "a", "b")
    await api.until(configmaps(namespace), "b", lambda found: found is not None)
    listed = await api.get(configmaps(namespace), resourceVersion=0, limit=1)
    assert {"a", "b"} <= set(_names(listed))


async def test_deployments_and_pods_say_what_they_are(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 0))
    found = (await api.get(f"{deployments(namespace)}/web")).content
    assert found["apiVersion"] == "apps/v1"
    assert (await api.get("/apis/apps/v1/deployments")).content["kind"] == "DeploymentList"
