"""What a GitOps tool has applied says so itself: labels of Flux, Argo CD's tracking. Pure.

Read as the tools read it when they clean up: what is exempt from that, or somebody else's to delete, is none of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.identity import KindId, kind_id, split_kind
from schemas.relations.pointers import Pointer, Source

HELM_RELEASE: Final = KindId("helm.toolkit.fluxcd.io/HelmRelease")
DEFINITION: Final = "CustomResourceDefinition"
EXEMPT: Final = ("prune", "reconcile")  # labels or annotations of a Kustomization's group: `disabled`
DISABLED: Final = "disabled"
KEEP: Final = ("helm.sh/resource-policy", "keep")
RELEASE: Final = "meta.helm.sh/release-name"  # which Helm writes on what it deletes again
HOOK: Final = "helm.sh/hook"  # of which a release keeps no account
TRACKING: Final = "argocd.argoproj.io/tracking-id"
OPTIONS: Final = "argocd.argoproj.io/sync-options"
STAYS: Final = "Delete=false"


def flux_applied(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`<group>/name`, and beside it `<group>/namespace`: the Kustomization or HelmRelease that it comes from.

    Labels are copied to what an object makes (EndpointSlices bear their Service's): that has an owner, which decides.
    """
    metadata = source.body.get("metadata")
    labels, annotations = _map(metadata, "labels"), _map(metadata, "annotations")
    group = split_kind(kind)[0]
    namespace = labels.get(f"{group}/namespace")
    if not isinstance(value, str) or not isinstance(namespace, str) or _is_owned(metadata):
        return
    if any(DISABLED in (labels.get(f"{group}/{one}"), annotations.get(f"{group}/{one}")) for one in EXEMPT):
        return
    if kind == HELM_RELEASE:
        is_of_chart = source.kind != DEFINITION or RELEASE in annotations  # else it lies in the chart's `crds/`
        if annotations.get(KEEP[0]) == KEEP[1] or HOOK in annotations or not is_of_chart:
            return
    if (kind, namespace, value) != _self(source):  # Flux applies what it was installed by, too
        yield Pointer(kind, value, namespace)


def argo_tracked(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`application:group/Kind:namespace/name` of the annotation, or the application's name in a label.

    It is `namespace_application` where that is not Argo CD's own namespace. The annotation names the object that it was
    written for: a copy that bears it is not tracked.
    """
    metadata = source.body.get("metadata")
    annotations = _map(metadata, "annotations")
    options = annotations.get(OPTIONS)
    if not isinstance(value, str) or (isinstance(options, str) and STAYS in options.replace(" ", "").split(",")):
        return
    application, is_tracked, rest = value.partition(":")
    if is_tracked:
        group_and_kind, _, place = rest.partition(":")
        group, _, bare = group_and_kind.partition("/")
        if kind_id(group, bare) != kind_id(source.group, source.kind) or place.rpartition("/")[2] != source.name:
            return
    elif TRACKING in annotations or _is_owned(metadata):
        return
    namespace, _, name = application.rpartition("_")
    if (kind, name) != (kind_id(source.group, source.kind), source.name):
        yield Pointer(kind, name, namespace or None)


def _self(source: Source) -> tuple[KindId, str, str]:
    return kind_id(source.group, source.kind), source.namespace, source.name


def _is_owned(metadata: Any) -> bool:
    rows = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
    return isinstance(rows, list) and any(
        isinstance(one, dict) and one.get("blockOwnerDeletion") is True for one in rows
    )


def _map(metadata: Any, name: str) -> Mapping[str, Any]:
    found = metadata.get(name) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
