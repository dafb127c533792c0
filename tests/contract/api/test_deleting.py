"""Delete: preconditions, finalizers, propagation to dependents, collections, dry runs; what is refused and how."""

from __future__ import annotations

import pytest

from tests.contract.api.client import Api
from tests.contract.api.things import configmap, configmaps, owned_by, pod, pods, secrets, services

FINALIZER = "example.com/wait"


async def test_a_deleted_object_is_gone_and_the_answer_names_it(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a"))
    deleted = await api.delete(f"{configmaps(namespace)}/a")
    assert deleted.status == 200
    assert deleted.content == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": created.metadata["uid"]},
    }
    assert (await api.get(f"{configmaps(namespace)}/a")).status == 404


async def test_some_kinds_answer_with_the_object_itself(api: Api, namespace: str) -> None:
    await api.post(services(namespace), {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}})
    deleted = await api.delete(f"{services(namespace)}/a")
    assert (deleted.status, deleted.content["kind"], deleted.metadata["name"]) == (200, "Service", "a")


async def test_what_is_not_there_cannot_be_deleted(api: Api, namespace: str) -> None:
    refused = await api.delete(f"{configmaps(namespace)}/none")
    assert refused.content == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "none" not found',
        "reason": "NotFound",
        "details": {"name": "none", "kind": "configmaps"},
        "code": 404,
    }


async def test_preconditions_say_which_object_is_meant(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a"))
    uid, version = created.metadata["uid"], created.version
    other = "00000000-0000-0000-0000-000000000000"
    refused = await api.delete(f"{configmaps(namespace)}/a", {"preconditions": {"uid": other}})
    assert (refused.status, refused.reason) == (409, "Conflict")
    assert refused.message == (
        f'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition ({other}) does not match the UID '
        f"in record ({uid}). The object might have been deleted and then recreated"
    )
    assert refused.content["details"] == {"name": "a", "kind": "ConfigMap"}
    refused = await api.delete(f"{configmaps(namespace)}/a", {"preconditions": {"resourceVersion": "1"}})
    assert (refused.status, refused.reason) == (409, "Conflict")
    assert refused.message == (
        'Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition (1) does not match '
        f"the ResourceVersion in record ({version}). The object might have been modified"
    )
    both = {"preconditions": {"uid": uid, "resourceVersion": version}}
    assert (await api.delete(f"{configmaps(namespace)}/a", both)).status == 200


async def test_a_version_that_has_passed_is_no_longer_met(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a", {"k": "1"}))
    await api.patch(f"{configmaps(namespace)}/a", {"data": {"k": "2"}})
    stale = {"preconditions": {"resourceVersion": created.version}}
    assert (await api.delete(f"{configmaps(namespace)}/a", stale)).status == 409


async def test_an_object_with_a_finalizer_is_marked_and_stays_until_it_is_taken_away(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    created = await api.post(configmaps(namespace), configmap("a", finalizers=[FINALIZER]))
    deleted = await api.delete(path)
    assert (deleted.status, deleted.content["kind"]) == (200, "ConfigMap")
    assert deleted.metadata["deletionTimestamp"]
    assert deleted.metadata["deletionGracePeriodSeconds"] == 0
    assert int(deleted.version) > int(created.version)
    again = await api.delete(path)
    assert (again.status, again.version) == (200, deleted.version)
    refused = await api.patch(path, {"metadata": {"finalizers": [FINALIZER, "example.com/more"]}})
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert refused.message == (
        'ConfigMap "a" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is '
        'being deleted, found new finalizers []string{"example.com/more"}'
    )
    assert (await api.post(configmaps(namespace), configmap("a"))).reason == "AlreadyExists"
    assert (await api.patch(path, {"data": {"still": "writable"}})).status == 200
    ended = await api.patch(path, {"metadata": {"finalizers": None}})
    assert ended.status == 200
    assert (await api.get(path)).status == 404


async def test_the_mark_of_deletion_cannot_be_taken_back(api: Api, namespace: str) -> None:
    path = f"{configmaps(namespace)}/a"
    await api.post(configmaps(namespace), configmap("a", finalizers=[FINALIZER]))
    marked = await api.delete(path)
    patched = await api.patch(path, {"metadata": {"deletionTimestamp": None}})
    assert patched.metadata["deletionTimestamp"] == marked.metadata["deletionTimestamp"]
    await api.patch(path, {"metadata": {"finalizers": None}})


async def test_in_the_background_the_owner_goes_first_and_its_dependents_follow(api: Api, namespace: str) -> None:
    owner = await api.post(configmaps(namespace), configmap("owner"))
    await api.post(configmaps(namespace), configmap("child", ownerReferences=[owned_by(owner.content)]))
    deleted = await api.delete(f"{configmaps(namespace)}/owner", {"propagationPolicy": "Background"})
    assert deleted.content["status"] == "Success"
    assert (await api.get(f"{configmaps(namespace)}/owner")).status == 404
    await api.until_gone(configmaps(namespace), "child")
    assert (await api.get(f"{configmaps(namespace)}/child")).status == 404


async def test_in_the_foreground_the_owner_waits_for_those_that_block_it(api: Api, namespace: str) -> None:
    owner = await api.post(configmaps(namespace), configmap("owner"))
    child = configmap("child", ownerReferences=[owned_by(owner.content, blocks=True)], finalizers=[FINALIZER])
    await api.post(configmaps(namespace), child)
    deleted = await api.delete(f"{configmaps(namespace)}/owner", {"propagationPolicy": "Foreground"})
    assert deleted.metadata["finalizers"] == ["foregroundDeletion"]
    await api.until(configmaps(namespace), "child", lambda found: "deletionTimestamp" in (found or {})["metadata"])
    assert (await api.get(f"{configmaps(namespace)}/owner")).status == 200
    await api.patch(f"{configmaps(namespace)}/child", {"metadata": {"finalizers": None}})
    await api.until_gone(configmaps(namespace), "owner")


async def test_orphans_lose_the_reference_and_stay(api: Api, namespace: str) -> None:
    owner = await api.post(configmaps(namespace), configmap("owner"))
    await api.post(configmaps(namespace), configmap("child", ownerReferences=[owned_by(owner.content)]))
    deleted = await api.delete(f"{configmaps(namespace)}/owner", propagationPolicy="Orphan")
    assert deleted.metadata["finalizers"] == ["orphan"]
    await api.until_gone(configmaps(namespace), "owner")
    child = await api.get(f"{configmaps(namespace)}/child")
    assert child.status == 200
    assert "ownerReferences" not in child.metadata


async def test_the_old_option_to_orphan_still_works_but_not_beside_the_new_one(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a"))
    both = {"orphanDependents": True, "propagationPolicy": "Orphan"}
    refused = await api.delete(f"{configmaps(namespace)}/a", both)
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert "orphanDependents and deletionPropagation cannot be both set" in refused.message
    deleted = await api.delete(f"{configmaps(namespace)}/a", {"orphanDependents": True})
    assert deleted.metadata["finalizers"] == ["orphan"]
    await api.until_gone(configmaps(namespace), "a")


async def test_a_child_goes_when_all_its_owners_are_gone_and_not_before(api: Api, namespace: str) -> None:
    owners = [(await api.post(configmaps(namespace), configmap(name))).content for name in ("one", "two")]
    references = [owned_by(owner) for owner in owners]
    await api.post(configmaps(namespace), configmap("child", ownerReferences=references))
    await api.delete(f"{configmaps(namespace)}/one")
    left = await api.until(
        configmaps(namespace), "child", lambda found: len((found or {})["metadata"]["ownerReferences"]) == 1
    )
    assert left is not None
    assert left["metadata"]["ownerReferences"][0]["name"] == "two"
    await api.delete(f"{configmaps(namespace)}/two")
    await api.until_gone(configmaps(namespace), "child")
    assert (await api.get(f"{configmaps(namespace)}/child")).status == 404


async def test_a_child_of_an_owner_that_never_was_is_collected(api: Api, namespace: str) -> None:
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "00000000-0000-0000-0000-000000000000"}
    await api.post(configmaps(namespace), configmap("child", ownerReferences=[ghost]))
    await api.until_gone(configmaps(namespace), "child")
    assert (await api.get(f"{configmaps(namespace)}/child")).status == 404


async def test_an_owner_of_the_same_name_that_came_later_is_not_the_owner(api: Api, namespace: str) -> None:
    old = await api.post(configmaps(namespace), configmap("owner"))
    await api.delete(f"{configmaps(namespace)}/owner")
    await api.post(configmaps(namespace), configmap("owner"))
    await api.post(configmaps(namespace), configmap("child", ownerReferences=[owned_by(old.content)]))
    await api.until_gone(configmaps(namespace), "child")
    assert (await api.get(f"{configmaps(namespace)}/child")).status == 404
    assert (await api.get(f"{configmaps(namespace)}/owner")).status == 200


async def test_a_dry_run_in_the_query_or_in_the_body_deletes_nothing(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a"))
    path = f"{configmaps(namespace)}/a"
    for answer in (await api.delete(path, dryRun="All"), await api.delete(path, {"dryRun": ["All"]})):
        assert (answer.status, answer.content["status"]) == (200, "Success")
        assert answer.content["details"]["uid"] == created.metadata["uid"]
    stale = await api.delete(path, {"dryRun": ["All"], "preconditions": {"uid": "other"}})
    assert stale.status == 409
    assert (await api.get(path)).content == created.content
    await api.post(configmaps(namespace), configmap("kept", finalizers=[FINALIZER]))
    marked = await api.delete(f"{configmaps(namespace)}/kept", {"dryRun": ["All"]})
    assert "deletionTimestamp" in marked.metadata
    kept = await api.get(f"{configmaps(namespace)}/kept")
    assert "deletionTimestamp" not in kept.metadata
    await api.patch(f"{configmaps(namespace)}/kept", {"metadata": {"finalizers": None}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"propagationPolicy": "Sideways"}, 'Unsupported value: "Sideways": supported values: "Foreground"'),
        ({"dryRun": ["Some"]}, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
    ],
)
async def test_options_that_do_not_exist_are_422(api: Api, namespace: str, options: object, message: str) -> None:
    await api.post(configmaps(namespace), configmap("a"))
    refused = await api.delete(f"{configmaps(namespace)}/a", options)
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert message in refused.message


async def test_a_collection_is_deleted_by_selector(api: Api, namespace: str) -> None:
    for name in ("a", "b", "c"):
        await api.post(secrets(namespace), {"metadata": {"name": name, "labels": {"group": name}}})
    dry = await api.delete(secrets(namespace), labelSelector="group in (a,b)", dryRun="All")
    assert dry.status == 200
    deleted = await api.delete(secrets(namespace), labelSelector="group in (a,b)")
    assert (deleted.status, deleted.content["kind"]) == (200, "SecretList")
    assert [item["metadata"]["name"] for item in deleted.content["items"]] == ["a", "b"]
    listed = await api.get(secrets(namespace))
    assert [item["metadata"]["name"] for item in listed.content["items"]] == ["c"]
    assert (await api.delete(secrets(namespace))).status == 200
    assert (await api.get(secrets(namespace))).content["items"] == []


async def test_what_has_finalizers_survives_the_deletion_of_its_collection(api: Api, namespace: str) -> None:
    await api.post(secrets(namespace), {"metadata": {"name": "a", "finalizers": [FINALIZER]}})
    assert (await api.delete(secrets(namespace))).status == 200
    assert "deletionTimestamp" in (await api.get(f"{secrets(namespace)}/a")).metadata
    await api.patch(f"{secrets(namespace)}/a", {"metadata": {"finalizers": None}})


async def test_namespaces_and_services_of_all_namespaces_are_no_collection_to_delete(api: Api) -> None:
    for path in ("/api/v1/namespaces", "/api/v1/configmaps"):
        refused = await api.delete(path)
        assert (refused.status, refused.reason) == (405, "MethodNotAllowed")


async def test_a_pod_that_runs_is_given_time_and_one_that_may_end_at_once_is_not(api: Api, namespace: str) -> None:
    await api.post(pods(namespace), pod("a", terminationGracePeriodSeconds=20))
    await api.until(pods(namespace), "a", lambda found: (found or {}).get("status", {}).get("phase") == "Running")
    deleted = await api.delete(f"{pods(namespace)}/a", {"preconditions": {}, "dryRun": ["All"]})
    assert deleted.metadata["deletionGracePeriodSeconds"] == 20
    forced = await api.delete(f"{pods(namespace)}/a", {"gracePeriodSeconds": 0})
    assert (forced.status, forced.metadata["name"]) == (200, "a")
    assert (await api.get(f"{pods(namespace)}/a")).status == 404


async def test_a_deleted_pod_ends(api: Api, namespace: str) -> None:
    await api.post(pods(namespace), pod("a"))
    await api.until(pods(namespace), "a", lambda found: (found or {}).get("status", {}).get("phase") == "Running")
    deleted = await api.delete(f"{pods(namespace)}/a")
    assert "deletionTimestamp" in deleted.metadata
    await api.until_gone(pods(namespace), "a")
