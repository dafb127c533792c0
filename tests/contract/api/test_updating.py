"""Replace: conflicts, what is carried over, what may not change."""

from __future__ import annotations

from tests.contract.api.client import Api, Content
from tests.contract.api.things import configmap, configmaps, deployment, deployments, secrets, services


async def test_a_replacement_without_a_version_always_wins(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a", {"k": "1"}))
    replaced = await api.put(f"{configmaps(namespace)}/a", configmap("a", {"l": "2"}))
    assert (replaced.status, replaced.content["data"]) == (200, {"l": "2"})
    assert int(replaced.version) > int(created.version)
    assert replaced.metadata["uid"] == created.metadata["uid"]
    assert replaced.metadata["creationTimestamp"] == created.metadata["creationTimestamp"]


async def test_a_replacement_of_an_old_version_is_409(api: Api, namespace: str) -> None:
    old = await api.post(configmaps(namespace), configmap("a", {"k": "1"}))
    await api.put(f"{configmaps(namespace)}/a", configmap("a", {"k": "2"}))
    refused = await api.put(f"{configmaps(namespace)}/a", old.content)
    assert (refused.status, refused.reason) == (409, "Conflict")
    assert refused.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert refused.content["details"] == {"name": "a", "kind": "configmaps"}


async def test_a_replacement_of_another_object_of_that_name_is_409(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a"))
    refused = await api.put(f"{configmaps(namespace)}/a", configmap("a", uid="nope"))
    assert (refused.status, refused.reason) == (409, "Conflict")
    expected = f"Precondition failed: UID in precondition: nope, UID in object meta: {created.metadata['uid']}"
    assert refused.message.endswith(expected)


async def test_the_same_again_is_not_written(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a", {"k": "1"}))
    again = await api.put(f"{configmaps(namespace)}/a", configmap("a", {"k": "1"}))
    assert (again.status, again.version) == (200, created.version)


async def test_the_name_must_be_said_and_be_that_of_the_url(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a"))
    other = await api.put(f"{configmaps(namespace)}/a", configmap("b"))
    assert (other.status, other.message) == (400, "the name of the object (b) does not match the name on the URL (a)")
    assert (await api.put(f"{configmaps(namespace)}/a", {"metadata": {}})).status == 400


async def test_nothing_is_created_by_a_replacement(api: Api, namespace: str) -> None:
    assert (await api.put(f"{configmaps(namespace)}/a", configmap("a"))).status == 404


async def test_the_generation_counts_changes_of_the_spec_only(api: Api, namespace: str) -> None:
    path = f"{deployments(namespace)}/web"
    await api.post(deployments(namespace), deployment("web", 0))
    labelled = await api.patch(path, {"metadata": {"labels": {"x": "y"}}})
    assert labelled.metadata["generation"] == 1
    paused = await api.patch(path, {"spec": {"paused": True}})
    assert paused.metadata["generation"] == 2
    same = await api.patch(path, {"spec": {"paused": True}})
    assert same.metadata["generation"] == 2


async def test_the_status_is_not_changed_by_a_replacement(api: Api, namespace: str) -> None:
    await api.post(deployments(namespace), {**deployment("web", 0), "status": {"replicas": 9}})
    path = f"{deployments(namespace)}/web"
    replaced = await api.put(path, {**deployment("web", 0), "status": {"replicas": 9}})
    assert replaced.content["status"].get("replicas", 0) == 0


async def test_a_dry_run_of_a_replacement_changes_nothing(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a", {"k": "1"}))
    tried = await api.put(f"{configmaps(namespace)}/a", configmap("a", {"k": "2"}), dryRun="All")
    assert tried.content["data"] == {"k": "2"}
    assert (await api.get(f"{configmaps(namespace)}/a")).content["data"] == {"k": "1"}


async def _refused(api: Api, path: str, change: Content) -> list[tuple[str, str]]:
    refused = await api.patch(path, change)
    assert (refused.status, refused.reason) == (422, "Invalid"), refused.text
    return [(cause["reason"], cause["field"]) for cause in refused.causes]


async def test_fields_that_never_change(api: Api, namespace: str) -> None:
    await api.post(secrets(namespace), {"metadata": {"name": "s"}, "data": {}})
    assert await _refused(api, f"{secrets(namespace)}/s", {"type": "x/y"}) == [("FieldValueInvalid", "type")]
    await api.post(configmaps(namespace), {**configmap("sealed", {"k": "v"}), "immutable": True})
    sealed = f"{configmaps(namespace)}/sealed"
    assert await _refused(api, sealed, {"data": {"k": "w"}}) == [("FieldValueForbidden", "data")]
    await api.post(deployments(namespace), deployment("web", 0))
    selector = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    assert ("FieldValueInvalid", "spec.selector") in await _refused(api, f"{deployments(namespace)}/web", selector)
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    await api.post(roles, {"metadata": {"name": "b"}, "roleRef": reference})
    assert await _refused(api, f"{roles}/b", {"roleRef": {"name": "s"}}) == [("FieldValueInvalid", "roleRef")]


async def test_a_service_keeps_its_address_when_it_is_left_out_and_may_not_change_it(api: Api, namespace: str) -> None:
    body = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    address = (await api.post(services(namespace), body)).content["spec"]["clusterIP"]
    body["spec"]["ports"] = [{"port": 81}]  # type: ignore[index]  # a literal is typed by its first values
    replaced = await api.put(f"{services(namespace)}/web", body)
    assert replaced.content["spec"]["clusterIP"] == address
    fields = await _refused(api, f"{services(namespace)}/web", {"spec": {"clusterIP": "10.96.200.1"}})
    assert "spec.clusterIPs[0]" in {field for _, field in fields}


async def test_who_changes_a_field_owns_it_and_who_had_it_does_not(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a", {"k": "1", "l": "1"}), fieldManager="first")
    path = f"{configmaps(namespace)}/a"
    changed = await api.patch(path, {"data": {"k": "2"}}, fieldManager="second")
    owned = {entry["manager"]: entry["fieldsV1"] for entry in changed.metadata["managedFields"]}
    assert owned == {"first": {"f:data": {".": {}, "f:l": {}}}, "second": {"f:data": {"f:k": {}}}}
    removed = await api.patch(path, {"data": {"l": None}}, fieldManager="second")
    owned = {entry["manager"]: entry["fieldsV1"] for entry in removed.metadata["managedFields"]}
    assert owned == {"first": {"f:data": {}}, "second": {"f:data": {"f:k": {}}}}
