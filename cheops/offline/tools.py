"""What annotations have Helm, Argo CD and Flux do with an object: make it anew, leave it in the cluster. Pure.

Sources: Helm, "Chart Hooks" and "Tell Helm Not To Uninstall a Resource"; Argo CD, "Resource Hooks" and "Sync Options";
Flux, "Kustomization", on its annotations. Both delete a hook that says no policy of deletion before they make it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.untyped import mapping_of

Body = Mapping[str, Any]

HELM_HOOK: Final = "helm.sh/hook"
HELM_DELETES: Final = "helm.sh/hook-delete-policy"
HELM_KEEPS: Final = "helm.sh/resource-policy"
ARGO_HOOK: Final = "argocd.argoproj.io/hook"
ARGO_DELETES: Final = "argocd.argoproj.io/hook-delete-policy"
ARGO_OPTIONS: Final = "argocd.argoproj.io/sync-options"
FLUX_FORCE: Final = "kustomize.toolkit.fluxcd.io/force"
FLUX_PRUNE: Final = "kustomize.toolkit.fluxcd.io/prune"
HOOKS: Final = ((HELM_HOOK, HELM_DELETES, "before-hook-creation"), (ARGO_HOOK, ARGO_DELETES, "BeforeHookCreation"))
# What takes others, or data, along when it is deleted: nobody is to find that allowed because of an annotation.
NOT_MADE_ANEW: Final = frozenset(
    ("Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "PersistentVolume", "StatefulSet")
)


def is_made_anew(body: Body) -> bool:
    """Whether its tool deletes it and creates it again, where an update would not do: nothing of it is fixed then."""
    said = _annotations(body)
    if body.get("kind") in NOT_MADE_ANEW:
        return False
    for hook, deletes, before in HOOKS:
        if hook in said and before in _words(said.get(deletes, before)):
            return True
    return "Force=true" in _words(said.get(ARGO_OPTIONS, "")) or said.get(FLUX_FORCE, "").lower() == "enabled"


def stays(body: Body) -> str:
    """Why it stays in the cluster when it is in the manifests no more, as its annotation says it; "" when it goes."""
    said = _annotations(body)
    if said.get(HELM_KEEPS) == "keep":
        return f"{HELM_KEEPS}: keep"
    if "Prune=false" in _words(said.get(ARGO_OPTIONS, "")):
        return f"{ARGO_OPTIONS}: Prune=false"
    return f"{FLUX_PRUNE}: disabled" if said.get(FLUX_PRUNE, "").lower() == "disabled" else ""


def _annotations(body: Body) -> dict[str, str]:
    annotations = mapping_of(mapping_of(body.get("metadata")).get("annotations"))
    return {name: value for name, value in annotations.items() if isinstance(value, str)}


def _words(text: str) -> set[str]:
    return {one.strip() for one in text.split(",")}
