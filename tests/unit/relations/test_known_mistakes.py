"""Mistakes that other tools make with references between objects, by name; none may be ours."""

from __future__ import annotations

from schemas.identity import ResourceId
from schemas.relations.edges import records
from tests.unit.relations.reading import made, references, state, targets


def test_a_service_with_an_empty_selector_is_not_linked_to_every_pod() -> None:
    assert references(made("Service", spec={"selector": {}}), "service.selector") == []
    assert references(made("Service", spec={}), "service.selector") == []
    assert len(references(made("Service", spec={"selector": {"app": "web"}}), "service.selector")) == 1


def test_the_claim_of_a_volume_is_looked_up_in_the_namespace_that_claimref_names() -> None:
    volume = made(
        "PersistentVolume", namespace="", spec={"claimRef": {"name": "data", "namespace": "shop", "uid": "u"}}
    )
    (found,) = references(volume, "volume.claim")
    assert (found.target, found.uid) == ("PersistentVolumeClaim/shop/data", "u")
    assert references(made("PersistentVolume", namespace="", spec={"claimRef": {"name": "data"}}), "volume.claim") == []


def test_a_secret_volume_is_read_by_secretname_and_not_by_name() -> None:
    assert targets(made("Pod", spec={"volumes": [{"secret": {"secretName": "ca"}}]}), "podspec.volume.secret") == [
        "Secret/shop/ca"
    ]
    assert targets(made("Pod", spec={"volumes": [{"secret": {"name": "ca"}}]}), "podspec.volume.secret") == []


def test_a_reference_does_not_match_the_same_name_in_another_namespace() -> None:
    pod = state(made("Pod", spec={"volumes": [{"secret": {"secretName": "ca"}}]}))
    elsewhere = state(made("Secret", name="ca", namespace="back"))
    here = state(made("Secret", name="ca"))

    def resolved(*others: object) -> bool:
        rows = records([pod, *others])  # type: ignore[list-item]  # states, named by the test
        return next(row["resolved"] for row in rows if row["rule"] == "podspec.volume.secret")

    assert not resolved(elsewhere)
    assert resolved(here)


def test_an_owner_is_matched_by_uid_and_not_by_name() -> None:
    owners = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "first"}]
    pod = state(made("Pod", metadata={"ownerReferences": owners}))

    def resolved(uid: str) -> bool:
        owner = state(made("ReplicaSet", "apps/v1", metadata={"uid": uid}))
        return next(row["resolved"] for row in records([pod, owner]) if row["rule"] == "metadata.owner")

    assert resolved("first")
    assert not resolved("second")  # deleted and made again under the same name: another object
    assert resolved("")  # a manifest carries no uid


def test_optional_true_is_not_required() -> None:
    volume = {"secret": {"secretName": "ca", "optional": True}}
    (found,) = references(made("Pod", spec={"volumes": [volume]}), "podspec.volume.secret")
    assert found.optional
    (found,) = references(made("Pod", spec={"volumes": [{"secret": {"secretName": "ca"}}]}), "podspec.volume.secret")
    assert not found.optional


def test_a_reference_is_kept_when_its_target_is_not_listed_yet() -> None:
    rows = list(records([state(made("Pod", spec={"volumes": [{"secret": {"secretName": "later"}}]}))]))
    (row,) = [row for row in rows if row["rule"] == "podspec.volume.secret"]
    assert (row["target"], row["resolved"]) == ("Secret/shop/later", False)


def test_a_workloads_own_selector_is_not_an_edge() -> None:
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}}}
    assert [one for one in references(made("Deployment", "apps/v1", spec=spec)) if one.selector] == []


def test_a_cluster_scoped_object_with_a_namespace_is_read_as_cluster_scoped() -> None:
    role = state(made("ClusterRole", "rbac.authorization.k8s.io/v1"))
    assert role.resource == ResourceId("rbac.authorization.k8s.io/ClusterRole/web")
    assert role.references == ()


def test_one_object_that_is_served_under_two_groups_is_one_object() -> None:
    assert state(made("Event", "events.k8s.io/v1")).resource == state(made("Event", "v1")).resource
    old, new = made("Ingress", "extensions/v1beta1"), made("Ingress", "networking.k8s.io/v1")
    assert state(old).resource == state(new).resource


def test_manifests_of_removed_versions_are_still_read() -> None:
    backend = {"serviceName": "web", "servicePort": 80}
    old = made("Ingress", "extensions/v1beta1", spec={"rules": [{"http": {"paths": [{"backend": backend}]}}]})
    (found,) = references(old, "ingress.backend.service")
    assert (found.target, found.granule) == ("Service/shop/web", "port:80")


def test_an_edge_of_a_pod_template_is_found_without_any_pod() -> None:
    spec = {"replicas": 0, "template": {"spec": {"containers": [{"envFrom": [{"configMapRef": {"name": "cfg"}}]}]}}}
    assert targets(made("Deployment", "apps/v1", spec=spec), "podspec.envfrom") == ["ConfigMap/shop/cfg"]
