"""What Flux and Argo CD have applied is read as they read it when they clean up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.relations.reading import made, state, targets

GROUP = "kustomize.toolkit.fluxcd.io"
HELM = "helm.toolkit.fluxcd.io"
OWNER = {
    "apiVersion": "v1",
    "kind": "Service",
    "name": "web",
    "uid": "u",
    "controller": True,
    "blockOwnerDeletion": True,
}
KUSTOMIZATION = f"{GROUP}/Kustomization/flux-system/apps"
RELEASE = f"{HELM}/HelmRelease/flux-system/apps"


def labels(group: str, **more: Any) -> dict[str, Any]:
    return {"labels": {f"{group}/name": "apps", f"{group}/namespace": "flux-system"}, **more}


def applied(kind: str = "ConfigMap", version: str = "v1", **metadata: Any) -> list[str]:
    body = made(kind, version, metadata=metadata)
    return [one for rule in ("kustomization.", "helmrelease.", "application.") for one in targets(body, rule)]


def test_labels_say_which_kustomization_or_release_has_applied_an_object() -> None:
    assert applied(**labels(GROUP)) == [KUSTOMIZATION]
    assert applied(**labels(HELM)) == [RELEASE]
    assert applied(labels={f"{GROUP}/name": "apps"}) == []


def test_two_objects_of_one_name_in_two_namespaces_of_kustomizations_have_each_their_own() -> None:
    there, here = labels(GROUP), labels(GROUP)
    here["labels"][f"{GROUP}/namespace"] = "shop"
    assert applied(**there) == [KUSTOMIZATION]
    assert applied(**here) == [f"{GROUP}/Kustomization/shop/apps"]


def test_labels_that_were_copied_to_what_an_object_makes_say_nothing() -> None:
    assert applied("EndpointSlice", "discovery.k8s.io/v1", **labels(GROUP, ownerReferences=[OWNER])) == []
    assert applied("EndpointSlice", "discovery.k8s.io/v1", **labels(HELM, ownerReferences=[OWNER])) == []
    assert applied(labels={"argocd.argoproj.io/instance": "apps"}, ownerReferences=[OWNER]) == []
    free = {**OWNER, "blockOwnerDeletion": False}
    assert applied(**labels(GROUP, ownerReferences=[free])) == [KUSTOMIZATION]


@pytest.mark.parametrize("word", ["prune", "reconcile"])
def test_flux_leaves_what_is_exempt_by_label_or_annotation(word: str) -> None:
    exempt = {f"{GROUP}/{word}": "disabled"}
    by_label = labels(GROUP)
    by_label["labels"] |= exempt
    assert applied(**labels(GROUP, annotations=exempt)) == applied(**by_label) == []
    assert applied(**labels(GROUP, annotations={f"{GROUP}/{word}": "enabled"})) == [KUSTOMIZATION]


def test_a_release_takes_no_hooks_and_no_definition_that_lies_beside_its_templates() -> None:
    definition = ("CustomResourceDefinition", "apiextensions.k8s.io/v1")
    assert applied(**labels(HELM, annotations={"helm.sh/hook": "post-install"})) == []
    assert applied(*definition, **labels(HELM)) == []
    assert applied(*definition, **labels(HELM, annotations={"meta.helm.sh/release-name": "apps"})) == [RELEASE]
    assert applied(*definition, **labels(GROUP)) == [KUSTOMIZATION]


def test_what_applies_itself_does_not_hold_itself() -> None:
    itself = made("Kustomization", f"{GROUP}/v1", "apps", "flux-system", metadata=labels(GROUP))
    assert targets(itself, "kustomization.applied") == []
    tracked = {"argocd.argoproj.io/tracking-id": "argocd:argoproj.io/Application:argocd/argocd"}
    application = made("Application", "argoproj.io/v1alpha1", "argocd", "argocd", metadata={"annotations": tracked})
    assert targets(application, "application.tracked") == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("edge:/ConfigMap:shop/web", ["argoproj.io/Application/argocd/edge"]),
        ("team_edge:/ConfigMap:shop/web", ["argoproj.io/Application/team/edge"]),
        ("edge:/ConfigMap:shop/other", []),  # a copy of that one
        ("edge:apps/Deployment:shop/web", []),
        ("edge:/ConfigMap", []),
        ("edge", []),
        (":::", []),
    ],
)
def test_argo_cd_tracks_an_object_by_what_its_annotation_says_of_it(value: str, found: list[str]) -> None:
    assert applied(annotations={"argocd.argoproj.io/tracking-id": value}) == found


def test_of_label_and_annotation_the_annotation_counts() -> None:
    both = {
        "labels": {"argocd.argoproj.io/instance": "old"},
        "annotations": {"argocd.argoproj.io/tracking-id": "edge:/ConfigMap:shop/web"},
    }
    assert applied(**both) == ["argoproj.io/Application/argocd/edge"]
    assert applied(labels=both["labels"]) == ["argoproj.io/Application/argocd/old"]


@pytest.mark.parametrize(
    ("options", "stays"), [("Delete=false", True), ("Prune=false, Delete=false", True), ("Prune=false", False)]
)
def test_argo_cd_leaves_what_says_so(options: str, stays: bool) -> None:
    metadata = {
        "labels": {"argocd.argoproj.io/instance": "edge"},
        "annotations": {"argocd.argoproj.io/sync-options": options},
    }
    assert (applied(**metadata) == []) is stays


@pytest.mark.parametrize(
    ("spec", "takes"),
    [
        ({"prune": True}, True),
        ({"prune": True, "deletionPolicy": "MirrorPrune"}, True),
        ({"prune": False}, False),
        ({}, False),
        ({"prune": False, "deletionPolicy": "Delete"}, True),
        ({"prune": False, "deletionPolicy": "WaitForTermination"}, True),
        ({"prune": True, "deletionPolicy": "Orphan"}, False),
        ({"prune": True, "suspend": True}, False),
    ],
)
def test_a_kustomization_says_whether_its_deletion_prunes(spec: dict[str, Any], takes: bool) -> None:
    assert state(made("Kustomization", f"{GROUP}/v1", spec=spec)).facts["takes"] is takes


@pytest.mark.parametrize(
    ("finalizers", "takes"),
    [
        (["resources-finalizer.argocd.argoproj.io"], True),
        (["example.org/guard", "resources-finalizer.argocd.argoproj.io/background"], True),
        (["post-delete-finalizer.argocd.argoproj.io"], False),
        ("resources-finalizer.argocd.argoproj.io", False),
        ([None], False),
        (None, False),
    ],
)
def test_a_finalizer_of_an_application_says_whether_its_deletion_deletes(finalizers: Any, takes: bool) -> None:
    application = made("Application", "argoproj.io/v1alpha1", metadata={"finalizers": finalizers})
    assert state(application).facts["takes"] is takes
