"""Server-side apply: who owns what, conflicts, taking over, giving up, lists that merge by key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.api.client import Api, Content, Reply
from tests.contract.api.things import configmap, configmaps, deployment, deployments, services


def entries(reply: Reply) -> dict[tuple[str, str, str], Content]:
    """(manager, operation, subresource) → the fields that it owns."""
    managed = reply.metadata.get("managedFields", [])
    return {(one["manager"], one["operation"], one.get("subresource", "")): one["fieldsV1"] for one in managed}


def applied_configmap(name: str, data: dict[str, str] | None) -> Content:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_what_is_not_there_is_created_and_owned(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    created = await api.apply(path, applied_configmap("a", {"k": "v"}), "me")
    assert created.status == 201
    assert entries(created) == {("me", "Apply", ""): {"f:data": {"f:k": {}}}}
    assert created.metadata["managedFields"][0]["fieldsType"] == "FieldsV1"
    again = await api.apply(path, applied_configmap("a", {"k": "v"}), "me")
    assert (again.status, again.version) == (200, created.version)


async def test_a_field_that_is_no_longer_applied_goes_and_others_stay(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    await api.apply(path, applied_configmap("a", {"k": "v", "l": "w"}), "me")
    await api.apply(path, applied_configmap("a", {"m": "x"}), "you")
    left = await api.apply(path, applied_configmap("a", {"k": "v"}), "me")
    assert left.content["data"] == {"k": "v", "m": "x"}
    none = await api.apply(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, "me")
    assert none.content["data"] == {"m": "x"}
    assert set(entries(none)) == {("you", "Apply", "")}


async def test_a_value_of_somebody_else_is_a_conflict_that_names_the_field_and_the_manager(
    api: Api, namespace: str
) -> None:
    path = f"{configmaps(namespace)}/a"
    await api.apply(path, applied_configmap("a", {"k": "v", "l": "w"}), "me")
    refused = await api.apply(path, applied_configmap("a", {"k": "other"}), "you")
    assert refused.content == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Apply failed with 1 conflict: conflict with "me": .data.k',
        "reason": "Conflict",
        "details": {
            "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.k"}]
        },
        "code": 409,
    }
    two = await api.apply(path, applied_configmap("a", {"k": "other", "l": "other"}), "you")
    assert two.message == 'Apply failed with 2 conflicts: conflicts with "me":\n- .data.k\n- .data.l'
    assert [cause["field"] for cause in two.causes] == [".data.k", ".data.l"]


async def test_conflicts_with_several_managers_are_told_apart(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    await api.apply(path, applied_configmap("a", {"k": "v"}), "me")
    await api.apply(path, applied_configmap("a", {"l": "w"}), "you")
    refused = await api.apply(path, applied_configmap("a", {"k": "1", "l": "1"}), "third")
    assert refused.message == (
        'Apply failed with 2 conflicts: conflicts with "me":\n- .data.k\nconflicts with "you":\n- .data.l'
    )
    assert {cause["message"] for cause in refused.causes} == {'conflict with "me"', 'conflict with "you"'}


async def test_a_conflict_with_an_ordinary_write_says_how_it_was_written(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a", {"k": "v"}), fieldManager="creator")
    refused = await api.apply(f"{configmaps(namespace)}/a", applied_configmap("a", {"k": "w"}), "me")
    assert refused.message == 'Apply failed with 1 conflict: conflict with "creator" using v1: .data.k'
    assert refused.causes[0]["message"] == 'conflict with "creator" using v1'


async def test_force_takes_over_and_who_had_it_may_come_back(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    await api.apply(path, applied_configmap("a", {"k": "v", "l": "w"}), "me")
    forced = await api.apply(path, applied_configmap("a", {"k": "mine"}), "you", force=True)
    assert forced.content["data"] == {"k": "mine", "l": "w"}
    assert entries(forced) == {
        ("me", "Apply", ""): {"f:data": {"f:l": {}}},
        ("you", "Apply", ""): {"f:data": {"f:k": {}}},
    }
    assert (await api.apply(path, applied_configmap("a", {"k": "v", "l": "w"}), "me")).status == 409


async def test_the_same_value_is_owned_by_both_and_goes_with_the_last(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    await api.apply(path, applied_configmap("a", {"k": "v", "own": "1"}), "me")
    shared = await api.apply(path, applied_configmap("a", {"k": "v"}), "you")
    assert ("f:k" in entries(shared)["me", "Apply", ""]["f:data"], set(entries(shared))) == (
        True,
        {("me", "Apply", ""), ("you", "Apply", "")},
    )
    first = await api.apply(path, applied_configmap("a", {"own": "1"}), "me")
    assert first.content["data"] == {"k": "v", "own": "1"}
    last = await api.apply(path, applied_configmap("a", None), "you")
    assert last.content["data"] == {"own": "1"}


async def test_an_update_takes_a_changed_field_and_the_applier_meets_a_conflict(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    await api.apply(path, applied_configmap("a", {"k": "v", "l": "w"}), "me")
    patched = await api.patch(path, {"data": {"k": "edited"}}, fieldManager="editor")
    assert entries(patched) == {
        ("me", "Apply", ""): {"f:data": {"f:l": {}}},
        ("editor", "Update", ""): {"f:data": {"f:k": {}}},
    }
    assert (await api.apply(path, applied_configmap("a", {"k": "v", "l": "w"}), "me")).status == 409


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({}, 422, "fieldManager: Required value: is required for apply patch"),
        ({"fieldManager": "x" * 129}, 422, "may not be more than 128"),
        ({"fieldManager": "me", "force": "perhaps"}, 201, ""),
    ],
)
async def test_a_manager_must_be_named(api: Api, namespace: str, query: Content, code: int, message: str) -> None:
    body = applied_configmap("a", {"k": "v"})
    answer = await api.patch(f"{configmaps(namespace)}/a", body, "application/apply-patch+yaml", **query)
    assert (answer.status, message in answer.message) == (code, True), answer.text


async def test_force_belongs_to_apply_only(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a"))
    refused = await api.patch(f"{configmaps(namespace)}/a", {"data": {}}, force=True)
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert "force: Forbidden: may not be specified for non-apply patch" in refused.message


async def test_managed_fields_cannot_be_applied(api: Api, namespace: str) -> None:
    body = applied_configmap("a", {"k": "v"})
    body["metadata"]["managedFields"] = [{"manager": "x", "operation": "Apply", "apiVersion": "v1"}]
    refused = await api.apply(f"{configmaps(namespace)}/a", body)
    assert (refused.status, refused.message) == (400, "metadata.managedFields must be nil")


async def test_containers_merge_by_name_and_ports_by_number_and_protocol(api: Api, namespace: str) -> None:
    path = f"{deployments(namespace)}/a"
    first = deployment("a")
    first["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 80}]
    await api.apply(path, first, "me")
    second: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    main = {"name": "main", "ports": [{"containerPort": 80, "protocol": "UDP"}], "env": [{"name": "A", "value": "1"}]}
    second["spec"] = {"template": {"spec": {"containers": [main, {"name": "side", "image": "example/side:1"}]}}}
    merged = await api.apply(path, second, "you")
    assert merged.status == 200, merged.text
    containers = merged.content["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["main", "side"]
    assert [(port["containerPort"], port["protocol"]) for port in containers[0]["ports"]] == [(80, "TCP"), (80, "UDP")]
    owned = entries(merged)["you", "Apply", ""]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert set(owned) == {'k:{"name":"main"}', 'k:{"name":"side"}'}
    assert set(owned['k:{"name":"main"}']) == {".", "f:name", "f:env", "f:ports"}
    gone = await api.apply(path, {**second, "spec": {}}, "you")
    containers = gone.content["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["main"]
    assert "env" not in containers[0]


async def test_an_item_of_somebody_else_conflicts_by_its_key(api: Api, namespace: str) -> None:
    path = f"{deployments(namespace)}/a"
    await api.apply(path, deployment("a"), "me")
    other = deployment("a")
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "example/web:2"
    refused = await api.apply(path, other, "you")
    assert refused.message == (
        'Apply failed with 1 conflict: conflict with "me": .spec.template.spec.containers[name="main"].image'
    )


async def test_an_empty_list_is_owned_as_such(api: Api, namespace: str) -> None:
    path = f"{deployments(namespace)}/a"
    body = deployment("a")
    body["spec"]["template"]["spec"]["containers"][0]["args"] = []
    applied = await api.apply(path, body, "me")
    owned = entries(applied)["me", "Apply", ""]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert owned["f:args"] == {}
    assert "args" not in applied.content["spec"]["template"]["spec"]["containers"][0]


async def test_finalizers_are_a_set_of_which_each_manager_owns_its_values(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": ["example.com/one"]}}
    await api.apply(path, mine, "me")
    yours = {**mine, "metadata": {"name": "a", "finalizers": ["example.com/two"]}}
    both = await api.apply(path, yours, "you")
    assert both.metadata["finalizers"] == ["example.com/one", "example.com/two"]
    owned = entries(both)["me", "Apply", ""]["f:metadata"]
    assert owned == {"f:finalizers": {'v:"example.com/one"': {}}}
    left = await api.apply(path, {**mine, "metadata": {"name": "a"}}, "me")
    assert left.metadata["finalizers"] == ["example.com/two"]
    await api.patch(path, {"metadata": {"finalizers": None}})


async def test_a_duplicate_item_of_a_keyed_list_is_refused(api: Api, namespace: str) -> None:
    ports = [{"name": "a", "port": 80, "protocol": "TCP"}, {"name": "b", "port": 80, "protocol": "TCP"}]
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": ports}}
    refused = await api.apply(f"{services(namespace)}/a", body)
    assert refused.status == 500
    assert 'duplicate entries for key [port=80,protocol="TCP"]' in refused.message


async def test_unknown_fields_fail_an_apply_whatever_the_validation(api: Api, namespace: str) -> None:
    body = {**applied_configmap("a", {"k": "v"}), "colour": "red"}
    refused = await api.apply(f"{configmaps(namespace)}/a", body, fieldValidation="Ignore")
    assert refused.status == 500
    assert ".colour: field not declared in schema" in refused.message


async def test_the_name_and_kind_must_be_those_of_the_url(api: Api, namespace: str) -> None:
    body = applied_configmap("b", {})
    refused = await api.apply(f"{configmaps(namespace)}/a", body)
    assert (refused.status, refused.reason) == (400, "BadRequest")
    missing = {"metadata": {"name": "a"}, "data": {}}
    refused = await api.apply(f"{configmaps(namespace)}/a", missing)
    assert refused.status == 400, refused.text


async def test_a_version_is_a_condition_of_an_apply(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    created = await api.apply(path, applied_configmap("a", {"k": "v"}), "me")
    await api.patch(path, {"data": {"x": "y"}})
    stale = applied_configmap("a", {"k": "w"})
    stale["metadata"]["resourceVersion"] = created.version
    refused = await api.apply(path, stale, "me")
    assert (refused.status, refused.reason) == (409, "Conflict")
    assert "the object has been modified" in refused.message


async def test_a_dry_run_of_an_apply_shows_conflicts_and_stores_nothing(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    assert (await api.apply(path, applied_configmap("a", {"k": "v"}), "me", dryRun="All")).status == 201
    assert (await api.get(path)).status == 404
    created = await api.apply(path, applied_configmap("a", {"k": "v"}), "me")
    assert (await api.apply(path, applied_configmap("a", {"k": "w"}), "you", dryRun="All")).status == 409
    dry = await api.apply(path, applied_configmap("a", {"k": "w"}), "me", dryRun="All")
    assert (dry.status, dry.content["data"]) == (200, {"k": "w"})
    assert (await api.get(path)).content == created.content
