"""Watch: where it begins, what it says, how it ends."""

from __future__ import annotations

from tests.contract.api.client import Api
from tests.contract.api.things import configmap, configmaps

INITIAL_END = {"k8s.io/initial-events-end": "true"}


async def _version(api: Api, namespace: str) -> str:
    return (await api.get(configmaps(namespace))).version


async def test_a_watch_tells_creation_change_and_deletion_with_growing_versions(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    async with api.watch(path, resourceVersion=await _version(api, namespace)) as events:
        created = await api.post(path, configmap("a", {"k": "1"}))
        changed = await api.patch(f"{path}/a", {"data": {"k": "2"}})
        await api.delete(f"{path}/a")
        told = [await anext(events) for _ in range(3)]
    assert [event["type"] for event in told] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event["object"]["metadata"]["resourceVersion"] for event in told[:2]] == [created.version, changed.version]
    assert told[2]["object"]["data"] == {"k": "2"}
    assert int(told[2]["object"]["metadata"]["resourceVersion"]) > int(changed.version)
    assert (told[0]["object"]["kind"], told[0]["object"]["apiVersion"]) == ("ConfigMap", "v1")


async def test_a_watch_from_an_older_version_tells_what_happened_since(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    before = await _version(api, namespace)
    await api.post(path, configmap("a"))
    await api.delete(f"{path}/a")
    await api.post(path, configmap("b"))
    async with api.watch(path, resourceVersion=before) as events:
        told = [await anext(events) for _ in range(3)]
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in told] == [
        ("ADDED", "a"),
        ("DELETED", "a"),
        ("ADDED", "b"),
    ]


async def test_a_watch_without_a_version_begins_with_what_is_there(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    await api.post(path, configmap("a"))
    for version in ({}, {"resourceVersion": "0"}):
        async with api.watch(path, labelSelector="!none", **version) as events:
            told = [await anext(events) for _ in range(2)]
        assert {event["object"]["metadata"]["name"] for event in told} == {"a", "kube-root-ca.crt"}
        assert {event["type"] for event in told} == {"ADDED"}


async def test_initial_events_end_with_an_annotated_bookmark(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    await api.post(path, configmap("a"))
    query = {"sendInitialEvents": True, "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": True}
    async with api.watch(path, **query) as events:
        told = [await anext(events) for _ in range(3)]
        await api.post(path, configmap("b"))
        after = await anext(events)
    assert [event["type"] for event in told] == ["ADDED", "ADDED", "BOOKMARK"]
    assert told[2]["object"]["metadata"]["annotations"] == INITIAL_END
    assert told[2]["object"]["kind"] == "ConfigMap"
    assert (after["type"], after["object"]["metadata"]["name"]) == ("ADDED", "b")
    assert int(after["object"]["metadata"]["resourceVersion"]) > int(told[2]["object"]["metadata"]["resourceVersion"])


async def test_a_list_resumes_exactly_where_it_ended(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    await api.post(path, configmap("a"))
    listed = await api.get(path)
    await api.post(path, configmap("b"))
    async with api.watch(path, resourceVersion=listed.version) as events:
        first = await anext(events)
    assert first["object"]["metadata"]["name"] == "b"


async def test_what_begins_or_ends_to_match_is_added_or_deleted_for_the_watch(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    await api.post(path, configmap("a", labels={"on": "no"}))
    version = await _version(api, namespace)
    async with api.watch(path, labelSelector="on=yes", resourceVersion=version) as events:
        await api.patch(f"{path}/a", {"metadata": {"labels": {"on": "yes"}}})
        await api.patch(f"{path}/a", {"data": {"k": "v"}})
        left = await api.patch(f"{path}/a", {"metadata": {"labels": {"on": "no"}}})
        await api.delete(f"{path}/a")
        await api.post(path, configmap("b", labels={"on": "yes"}))
        told = [await anext(events) for _ in range(4)]
    assert [event["type"] for event in told] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    assert told[2]["object"]["metadata"]["resourceVersion"] == left.version
    assert told[2]["object"]["metadata"]["labels"] == {"on": "yes"}
    assert told[3]["object"]["metadata"]["name"] == "b"


async def test_a_watch_on_one_name_tells_only_of_it(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    version = await _version(api, namespace)
    async with api.watch(path, fieldSelector="metadata.name=b", resourceVersion=version) as events:
        await api.post(path, configmap("a"))
        await api.post(path, configmap("b"))
        told = await anext(events)
    assert told["object"]["metadata"]["name"] == "b"


async def test_a_watch_ends_cleanly_when_its_time_is_over(api: Api, namespace: str) -> None:
    version = await _version(api, namespace)
    async with api.watch(configmaps(namespace), resourceVersion=version, timeoutSeconds=1) as events:
        assert [event async for event in events if event["type"] != "BOOKMARK"] == []


async def test_nothing_is_told_of_a_write_that_changes_nothing(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    await api.post(path, configmap("a", {"k": "v"}))
    version = await _version(api, namespace)
    async with api.watch(path, resourceVersion=version) as events:
        same = await api.patch(f"{path}/a", {"data": {"k": "v"}})
        await api.post(path, configmap("b"))
        told = await anext(events)
    assert told["object"]["metadata"]["name"] == "b"
    assert int(same.version) <= int(version)


async def test_a_finalizer_makes_deletion_a_change_first(api: Api, namespace: str) -> None:
    path = configmaps(namespace)
    await api.post(path, configmap("a", finalizers=["example.com/hold"]))
    version = await _version(api, namespace)
    async with api.watch(path, resourceVersion=version) as events:
        await api.delete(f"{path}/a")
        await api.patch(f"{path}/a", {"metadata": {"finalizers": None}})
        told = [await anext(events) for _ in range(2)]
    assert [event["type"] for event in told] == ["MODIFIED", "DELETED"]
    assert told[0]["object"]["metadata"]["deletionTimestamp"]


async def test_watch_parameters_are_checked(api: Api, namespace: str) -> None:
    lonely = await api.get(configmaps(namespace), watch=1, sendInitialEvents=True, timeoutSeconds=1)
    assert (lonely.status, lonely.reason) == (422, "Invalid")
    assert "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" in lonely.message
    unasked = await api.get(configmaps(namespace), watch=1, resourceVersionMatch="NotOlderThan", resourceVersion=1)
    assert unasked.status == 422


async def test_a_watch_over_all_namespaces_tells_of_each(api: Api, namespace: str) -> None:
    version = (await api.get("/api/v1/configmaps")).version
    async with api.watch("/api/v1/configmaps", labelSelector=f"mark={namespace}", resourceVersion=version) as events:
        await api.post(configmaps(namespace), configmap("a", labels={"mark": namespace}))
        await api.post(configmaps("default"), configmap(f"in-default-{namespace}", labels={"mark": namespace}))
        told = [await anext(events) for _ in range(2)]
    await api.delete(f"{configmaps('default')}/in-default-{namespace}")
    assert [event["object"]["metadata"]["namespace"] for event in told] == [namespace, "default"]
