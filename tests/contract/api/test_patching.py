"""JSON patch, merge patch, strategic merge patch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.api.client import JSON, JSON_PATCH, STRATEGIC, Api, Content
from tests.contract.api.things import configmap, configmaps, deployment, deployments


def _template(*containers: Content, **spec: Any) -> Content:
    return {"spec": {"template": {"spec": {"containers": list(containers), **spec}}}}


def _containers(content: Content) -> dict[str, Content]:
    return {one["name"]: one for one in content["spec"]["template"]["spec"]["containers"]}


async def test_a_merge_patch_sets_and_removes(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a", {"k": "1", "l": "2"}))
    patched = await api.patch(f"{configmaps(namespace)}/a", {"data": {"k": None, "m": "3"}})
    assert (patched.status, patched.content["data"]) == (200, {"l": "2", "m": "3"})


async def test_a_merge_patch_replaces_lists(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 0))
    patched = await api.patch(f"{deployments(namespace)}/web", _template({"name": "other", "image": "x"}))
    assert set(_containers(patched.content)) == {"other"}


async def test_a_merge_patch_may_carry_a_version_as_a_condition(api: Api, namespace: str) -> None:
    old = await api.post(configmaps(namespace), configmap("a"))
    path = f"{configmaps(namespace)}/a"
    await api.patch(path, {"data": {"k": "1"}})
    refused = await api.patch(path, {"metadata": {"resourceVersion": old.version}, "data": {"k": "2"}})
    assert (refused.status, refused.reason) == (409, "Conflict")


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/data/x", "value": "1"}], {"k": "v", "x": "1"}),
        ([{"op": "replace", "path": "/data/k", "value": "w"}], {"k": "w"}),
        ([{"op": "remove", "path": "/data/k"}], None),
        ([{"op": "move", "from": "/data/k", "path": "/data/l"}], {"l": "v"}),
        ([{"op": "copy", "from": "/data/k", "path": "/data/a~1b"}], 422),
        ([{"op": "test", "path": "/data/k", "value": "v"}, {"op": "remove", "path": "/data/k"}], None),
        ([{"op": "test", "path": "/data/k", "value": "other"}], 422),
        ([{"op": "remove", "path": "/data/none"}], 422),
        ([{"op": "replace", "path": "/data/none", "value": "1"}], {"k": "v", "none": "1"}),
        ([{"op": "replace", "path": "/none/x", "value": "1"}], 422),
        ([{"op": "copy", "from": "/data/none", "path": "/data/x"}], {"k": "v", "x": ""}),
        ([{"op": "move", "from": "/data/none", "path": "/data/x"}], 422),
        ([{"op": "test", "path": "/data/none", "value": None}], {"k": "v"}),
        ([{"op": "add", "path": "/none/x", "value": "1"}], 422),
    ],
)
async def test_json_patches(api: Api, namespace: str, operations: list[Content], expected: Any) -> None:
    await api.post(configmaps(namespace), configmap("a", {"k": "v"}))
    patched = await api.patch(f"{configmaps(namespace)}/a", operations, JSON_PATCH)
    if expected == 422:
        assert (patched.status, patched.reason) == (422, "Invalid")
    else:
        assert (patched.status, patched.content.get("data")) == (200, expected)


async def test_a_strategic_merge_merges_containers_by_name(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 0))
    path = f"{deployments(namespace)}/web"
    patched = await api.patch(
        path, _template({"name": "side", "image": "s"}, {"name": "main", "image": "2"}), STRATEGIC
    )
    assert {name: one["image"] for name, one in _containers(patched.content).items()} == {"main": "2", "side": "s"}
    removed = await api.patch(path, _template({"name": "side", "$patch": "delete"}), STRATEGIC)
    assert set(_containers(removed.content)) == {"main"}


async def test_a_strategic_merge_merges_inside_containers_too(api: Api, namespace: str) -> None:
    body = deployment("web", 0)
    body["spec"]["template"]["spec"]["containers"][0] |= {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80}],
        "args": ["one", "two"],
    }
    await api.post(deployments(namespace), body)
    change = {
        "name": "main",
        "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}, {"name": "A", "$patch": "delete"}],
        "ports": [{"containerPort": 81}],
        "args": ["three"],
    }
    patched = await api.patch(f"{deployments(namespace)}/web", _template(change), STRATEGIC)
    main = _containers(patched.content)["main"]
    assert {one["name"]: one["value"] for one in main["env"]} == {"B": "3", "C": "4"}
    assert {one["containerPort"] for one in main["ports"]} == {80, 81}
    assert main["args"] == ["three"]


async def test_a_strategic_merge_can_replace_and_keep_only_some_fields(api: Api, namespace: str) -> None:
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    await api.post(deployments(namespace), deployment("web", 0, volumes=volumes))
    change = {"name": "v", "emptyDir": {}, "$retainKeys": ["name", "emptyDir"]}
    path = f"{deployments(namespace)}/web"
    patched = await api.patch(path, {"spec": {"template": {"spec": {"volumes": [change]}}}}, STRATEGIC)
    assert patched.content["spec"]["template"]["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
    await api.post(configmaps(namespace), configmap("a", {"k": "1"}))
    replaced = await api.patch(f"{configmaps(namespace)}/a", {"data": {"$patch": "replace", "l": "2"}}, STRATEGIC)
    assert replaced.content["data"] == {"l": "2"}


async def test_finalizers_merge_and_are_deleted_as_values(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a", finalizers=["x.io/a"]))
    path = f"{configmaps(namespace)}/a"
    merged = await api.patch(path, {"metadata": {"finalizers": ["x.io/b"]}}, STRATEGIC)
    assert set(merged.metadata["finalizers"]) == {"x.io/a", "x.io/b"}
    change = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}}
    left = await api.patch(path, change, STRATEGIC)
    assert left.metadata["finalizers"] == ["x.io/b"]
    await api.patch(path, {"metadata": {"finalizers": None}})


async def test_an_item_without_its_merge_key_is_an_error(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 0))
    refused = await api.patch(f"{deployments(namespace)}/web", _template({"image": "x"}), STRATEGIC)
    assert refused.status == 500
    assert "does not contain declared merge key: name" in refused.message


async def test_a_patch_with_a_wrong_type_is_422(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 0))
    refused = await api.patch(f"{deployments(namespace)}/web", {"spec": {"replicas": "x"}})
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert [cause["field"] for cause in refused.causes] == ["patch"]


async def test_a_strict_patch_refuses_unknown_fields(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), deployment("web", 0))
    path = f"{deployments(namespace)}/web"
    refused = await api.patch(path, {"spec": {"replicaz": 1}}, fieldValidation="Strict")
    assert refused.status == 422
    assert 'unknown field "spec.replicaz"' in refused.message
    warned = await api.patch(path, {"spec": {"replicaz": 1}})
    assert (warned.status, warned.warnings) == (200, ['299 - "unknown field \\"spec.replicaz\\""'])


async def test_other_media_types_are_415_and_a_missing_object_404(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a"))
    assert (await api.patch(f"{configmaps(namespace)}/a", {}, JSON)).status == 415
    assert (await api.patch(f"{configmaps(namespace)}/none", {"data": {}})).status == 404


async def test_a_patch_cannot_rename(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a"))
    refused = await api.patch(f"{configmaps(namespace)}/a", {"metadata": {"name": "b"}})
    assert (refused.status, refused.message) == (
        400,
        "the name of the object (b) does not match the name on the URL (a)",
    )


async def test_a_dry_run_of_a_patch_changes_nothing(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a", {"k": "1"}))
    tried = await api.patch(f"{configmaps(namespace)}/a", {"data": {"k": "2"}}, dryRun="All")
    assert tried.content["data"] == {"k": "2"}
    assert (await api.get(f"{configmaps(namespace)}/a")).content["data"] == {"k": "1"}
